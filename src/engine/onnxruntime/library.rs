//! Where ONNX Runtime's shared library may be.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// What to try, best first: the path that the caller names, alone; otherwise `ORT_DYLIB_PATH`, the
/// executable's folder, the loader's own search, and the `onnxruntime` packages of the Python
/// installations and environments in reach.
pub(super) fn candidates(explicit: Option<&Path>) -> Vec<PathBuf> {
    let name = libloading_name();
    if let Some(path) = explicit {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    found.extend(
        env::var_os("ORT_DYLIB_PATH")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from),
    );
    let beside = env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(&name)));
    found.extend(beside.filter(|path| path.is_file()));
    found.push(PathBuf::from(name));
    found.extend(
        python_prefixes()
            .iter()
            .flat_map(|prefix| in_python(prefix)),
    );
    found
}

/// The file name that the system's loader looks for.
fn libloading_name() -> String {
    format!(
        "{}onnxruntime{}",
        env::consts::DLL_PREFIX,
        env::consts::DLL_SUFFIX
    )
}

/// Folders that hold a Python: the active environment, those on the `PATH`, the user's own.
fn python_prefixes() -> Vec<PathBuf> {
    let active = ["VIRTUAL_ENV", "CONDA_PREFIX"]
        .iter()
        .filter_map(env::var_os)
        .map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).flat_map(|bin| prefixes_of(&bin));
    let user = env::home_dir().map(|home| home.join(".local"));
    let mut prefixes: Vec<PathBuf> = Vec::new();
    for prefix in active.chain(on_path).chain(user) {
        if !prefixes.contains(&prefix) {
            prefixes.push(prefix);
        }
    }
    prefixes
}

/// The Python prefixes that a folder of executables belongs to: its parent, that of the program
/// its `python3` links to, and, beside a folder of shims, every installed version.
fn prefixes_of(bin: &Path) -> Vec<PathBuf> {
    let python = ["python3", "python", "python.exe"]
        .iter()
        .map(|name| bin.join(name))
        .find(|p| p.is_file());
    let Some(python) = python else {
        return Vec::new();
    };
    let Some(prefix) = bin.parent() else {
        return Vec::new();
    };
    let target = fs::canonicalize(python).ok();
    let linked = target
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::parent);
    let mut prefixes = vec![prefix.to_owned()];
    prefixes.extend(linked.map(Path::to_owned));
    prefixes.extend(sorted(&prefix.join("versions")));
    prefixes
}

/// The libraries of the `onnxruntime` package under a Python prefix.
fn in_python(prefix: &Path) -> Vec<PathBuf> {
    let versions = ["lib", "lib64", "local/lib"]
        .iter()
        .flat_map(|lib| sorted(&prefix.join(lib)));
    let pythons = versions.filter(|path| file_name(path).starts_with("python"));
    let packages = pythons
        .flat_map(|python| [python.join("site-packages"), python.join("dist-packages")])
        .chain([prefix.join("Lib").join("site-packages")]);
    packages
        .flat_map(|packages| sorted(&packages.join("onnxruntime").join("capi")))
        .filter(|path| is_library(&file_name(path)))
        .collect()
}

/// `libonnxruntime.so.1.32.0`, `libonnxruntime.1.32.0.dylib` or `onnxruntime.dll`, but not the
/// libraries of its execution providers.
fn is_library(name: &str) -> bool {
    name == "onnxruntime.dll"
        || name.starts_with("libonnxruntime.so")
        || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// What is in a folder, the last in the order of names first; nothing if it cannot be read.
fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    entries.sort_unstable_by(|a, b| b.cmp(a));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_path_is_the_only_candidate() {
        let path = Path::new("some/libonnxruntime.so");
        assert_eq!(candidates(Some(path)), [path]);
    }

    #[test]
    fn libraries_are_told_from_their_neighbours() {
        for name in [
            "libonnxruntime.so",
            "libonnxruntime.so.1.32.0",
            "libonnxruntime.1.2.dylib",
            "onnxruntime.dll",
        ] {
            assert!(is_library(name), "{name}");
        }
        for name in [
            "libonnxruntime_providers_shared.so",
            "onnxruntime_pybind11_state.so",
            "x.dll",
        ] {
            assert!(!is_library(name), "{name}");
        }
    }

    /// Makes empty files under a new folder.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    #[test]
    fn python_packages_are_found() {
        let capi = "site-packages/onnxruntime/capi";
        let root = tree(&[
            "venv/bin/python3",
            &format!("venv/lib/python3.11/{capi}/libonnxruntime.so.1.32.0"),
            &format!("venv/lib/python3.11/{capi}/libonnxruntime_providers_shared.so"),
            "shims/python3",
            &format!("versions/3.12/lib/python3.12/{capi}/libonnxruntime.so.1.30.0"),
            &format!("versions/3.9/lib/python3.9/{capi}/libonnxruntime.so.1.19.0"),
            "empty/readme",
        ]);
        let found = |bin: &str| -> Vec<String> {
            let prefixes = prefixes_of(&root.path().join(bin));
            prefixes
                .iter()
                .flat_map(|prefix| in_python(prefix))
                .map(|p| file_name(&p))
                .collect()
        };
        assert!(found("venv/bin").contains(&"libonnxruntime.so.1.32.0".to_owned()));
        assert!(
            !found("venv/bin")
                .iter()
                .any(|name| name.contains("providers"))
        );
        assert_eq!(
            found("shims"),
            ["libonnxruntime.so.1.19.0", "libonnxruntime.so.1.30.0"]
        );
        assert_eq!(found("empty"), [""; 0]);
    }
}
