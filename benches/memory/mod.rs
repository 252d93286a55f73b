//! The memory of this process.

use std::fs;

/// Bytes that `/proc/self/status` has under `field`, where there is one: `VmHWM` the most that the
/// process has held, `VmRSS` what it holds now.
pub fn memory(field: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let value = |line: &str| {
        line.strip_prefix(field)?
            .strip_prefix(':')?
            .strip_suffix("kB")
            .map(str::to_owned)
    };
    let kib: f64 = status.lines().find_map(value)?.trim().parse().ok()?;
    Some(kib * 1024.0)
}
