//! What `contender.py` measures and prints, for contenders in Rust.

#[path = "../memory/mod.rs"]
mod memory;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use memory::memory;
use serde::{Deserialize, Serialize};

/// About so long is throughput measured.
const SPAN: Duration = Duration::from_secs(4);

/// A span: where it begins and ends, in characters, and its type.
pub type Span = (usize, usize, String);

/// The text of a comparison.
#[derive(Deserialize)]
pub struct Task {
    pub paragraphs: Vec<String>,
    pub sentences: Vec<String>,
    pub scored: Vec<String>,
}

impl Task {
    /// Reads the task that `compare.py` wrote.
    pub fn read(path: &str) -> Result<Self, Box<dyn Error>> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

/// Speeds, latencies, memory.
#[derive(Serialize)]
pub struct Outcome {
    way: String,
    words_per_s: f64,
    speeds: BTreeMap<String, f64>,
    p50_ms: f64,
    p99_ms: f64,
    thirty_words_ms: Option<f64>,
    ready_s: f64,
    peak_mb: Option<f64>,
    spans: Vec<Vec<Span>>,
}

/// Measures a contender that took `ready` to its first answer: `recognize` takes texts and the way to do them, one of
/// `ways`, the usual one first. Sentences go by the usual one.
pub fn measure(
    task: &Task,
    ready: Duration,
    ways: &[&str],
    mut recognize: impl FnMut(&[&str], &str) -> Result<Vec<Vec<Span>>, Box<dyn Error>>,
) -> Result<Outcome, Box<dyn Error>> {
    let usual = ways[0];
    let mut speeds = BTreeMap::new();
    let mut run = |texts: &[&str], way: &str| recognize(texts, way);
    speeds.insert(
        usual.to_owned(),
        throughput(task, |texts| run(texts, usual))?,
    );
    let times = latencies(task, |sentence| run(&[sentence], usual))?;
    let peak_mb = memory("VmHWM").map(|bytes| bytes / (1 << 20) as f64);
    for way in &ways[1..] {
        speeds.insert(
            (*way).to_owned(),
            throughput(task, |texts| run(texts, way))?,
        );
    }
    let scored: Vec<&str> = task.scored.iter().map(String::as_str).collect();
    let spans = if scored.is_empty() {
        Vec::new()
    } else {
        run(&scored, usual)?
    };

    let of_thirty = |sentence: &String| (28..=32).contains(&sentence.split_whitespace().count());
    let pairs = task.sentences.iter().zip(&times);
    let thirty = pairs
        .filter(|(sentence, _)| of_thirty(sentence))
        .map(|(_, &time)| time);
    let thirty = sorted(thirty.collect());
    let times = sorted(times);
    let (way, words_per_s) = speeds
        .iter()
        .max_by(|a, b| a.1.total_cmp(b.1))
        .ok_or("no way was measured")?;
    Ok(Outcome {
        way: way.clone(),
        words_per_s: *words_per_s,
        p50_ms: times[times.len() / 2],
        p99_ms: times[times.len() * 99 / 100],
        thirty_words_ms: thirty.get(thirty.len() / 2).copied(),
        ready_s: ready.as_secs_f64(),
        peak_mb,
        spans,
        speeds,
    })
}

/// Words per second over as many passes of the text as take `SPAN`, after one to warm up.
fn throughput<T>(
    task: &Task,
    mut run: impl FnMut(&[&str]) -> Result<T, Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let paragraphs: Vec<&str> = task.paragraphs.iter().map(String::as_str).collect();
    let words: usize = paragraphs
        .iter()
        .map(|p| p.split_whitespace().count())
        .sum();
    let start = Instant::now();
    run(&paragraphs)?;
    let passes = (SPAN.as_secs_f64() / start.elapsed().as_secs_f64())
        .round()
        .max(1.0) as usize;
    let start = Instant::now();
    for _ in 0..passes {
        run(&paragraphs)?;
    }
    Ok((passes * words) as f64 / start.elapsed().as_secs_f64())
}

/// Milliseconds of each sentence alone, after ten to warm up.
fn latencies<T>(
    task: &Task,
    mut run: impl FnMut(&str) -> Result<T, Box<dyn Error>>,
) -> Result<Vec<f64>, Box<dyn Error>> {
    for sentence in task.sentences.iter().take(10) {
        run(sentence)?;
    }
    let time = |sentence: &String| {
        let start = Instant::now();
        run(sentence)?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    task.sentences.iter().map(time).collect()
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
