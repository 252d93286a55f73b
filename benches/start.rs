//! From the start of a process to its first entities, and the most memory that it takes for an article.
//!
//! ```sh
//! cargo bench --bench start
//! ```

mod articles;
mod memory;

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use articles::articles;
use memory::memory;
use nerite::Recognizer;

const ROUNDS: usize = 15;
const EMBEDDED: &str = "the embedded model";
const MODELS: [&str; 2] = [EMBEDDED, "models/nerite-tiny"];
const ENGINES: [&str; 2] = ["ort", "rten"];

/// Without arguments starts itself again and again, taking turns; with a model and an engine it is one
/// of those processes.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [model, engine] = &arguments[..] {
        return recognize(model, engine);
    }
    let contenders = MODELS.map(|model| ENGINES.map(|engine| (model, engine)));
    let contenders = contenders.concat();
    let mut figures = vec![(Vec::new(), Vec::new()); contenders.len()];
    for _ in 0..ROUNDS {
        for ((model, engine), (times, peaks)) in contenders.iter().zip(&mut figures) {
            if let Some((time, peak)) = start(model, engine)? {
                times.push(time);
                peaks.push(peak);
            }
        }
    }
    for ((model, engine), (times, peaks)) in contenders.into_iter().zip(figures) {
        match (median(times), median(peaks)) {
            (Some(time), Some(peak)) => {
                println!("{model}, {engine}: {time:.0} ms, {peak:.0} MB");
            }
            _ => println!("{model}, {engine}: left out, see above"),
        }
    }
    Ok(())
}

/// One process: milliseconds until its first line, and the megabytes that it tells.
fn start(model: &str, engine: &str) -> Result<Option<(f64, f64)>, Box<dyn Error>> {
    let start = Instant::now();
    let mut child = Command::new(env::current_exe()?)
        .args([model, engine])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
    let first = lines.next().transpose()?;
    let time = start.elapsed().as_secs_f64() * 1e3;
    let last = lines.last().transpose()?;
    if !child.wait()?.success() {
        return Ok(None);
    }
    first.ok_or("nothing was found")?;
    Ok(Some((time, last.ok_or("no figure of memory")?.parse()?)))
}

/// Prints the entities of an article, a line each, and the most memory that the process has held.
fn recognize(model: &str, engine: &str) -> Result<(), Box<dyn Error>> {
    let article = articles().swap_remove(0);
    let mut builder = Recognizer::builder().runtime(engine.parse()?);
    if model != EMBEDDED {
        builder = builder.model_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(model));
    }
    for entity in builder.build()?.recognize(&article, "it")? {
        println!("{entity}");
    }
    let peak = memory("VmHWM").ok_or("this system does not tell the memory of a process")?;
    println!("{}", peak / (1 << 20) as f64);
    Ok(())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
