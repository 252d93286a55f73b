//! nerite as a contender of `compare.py`: `contender ENGINE THREADS TASK.json [MODEL]` prints
//! what `contender.py` prints, measured the same way; without a model it takes the embedded one.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::time::{Duration, Instant};

use nerite::{Entity, Recognizer, Runtime};
use serde::{Deserialize, Serialize};

/// About so long is throughput measured.
const SPAN: Duration = Duration::from_secs(5);

/// The one way to run many texts.
const WAY: &str = "batch";

#[derive(Deserialize)]
struct Task {
    lang: String,
    paragraphs: Vec<String>,
    sentences: Vec<String>,
    scored: Vec<String>,
}

#[derive(Serialize)]
struct Outcome {
    way: &'static str,
    words_per_s: f64,
    speeds: BTreeMap<&'static str, f64>,
    p50_ms: f64,
    p99_ms: f64,
    thirty_words_ms: Option<f64>,
    ready_s: f64,
    peak_mb: Option<f64>,
    spans: Vec<Vec<(usize, usize, String)>>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let mut next = |what: &str| arguments.next().ok_or(format!("{what} is missing"));
    let engine: Runtime = next("the engine")?.parse()?;
    let threads: usize = next("the number of threads")?.parse()?;
    let task: Task = serde_json::from_slice(&fs::read(next("the task")?)?)?;

    let start = Instant::now();
    let mut builder = Recognizer::builder().runtime(engine).threads(threads);
    if let Ok(model) = next("the model") {
        builder = builder.model_dir(model);
    }
    let recognizer = builder.build()?;
    recognizer.recognize(&task.sentences[0], &task.lang)?;
    let ready = start.elapsed();

    let words_per_s = throughput(&recognizer, &task)?;
    let times = latencies(&recognizer, &task)?;
    let of_thirty = |sentence: &String| (28..=32).contains(&sentence.split_whitespace().count());
    let mut thirty: Vec<f64> = task
        .sentences
        .iter()
        .zip(&times)
        .filter(|(sentence, _)| of_thirty(sentence))
        .map(|(_, &time)| time)
        .collect();
    let mut sorted = times;
    sorted.sort_by(f64::total_cmp);
    thirty.sort_by(f64::total_cmp);
    let spans = task
        .scored
        .iter()
        .map(|text| {
            Ok(in_characters(
                text,
                &recognizer.recognize(text, &task.lang)?,
            ))
        })
        .collect::<Result<_, nerite::Error>>()?;
    let outcome = Outcome {
        way: WAY,
        words_per_s,
        speeds: BTreeMap::from([(WAY, words_per_s)]),
        p50_ms: sorted[sorted.len() / 2],
        p99_ms: sorted[sorted.len() * 99 / 100],
        thirty_words_ms: thirty.get(thirty.len() / 2).copied(),
        ready_s: ready.as_secs_f64(),
        peak_mb: peak_memory(),
        spans,
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

/// Words per second in one call on as many copies of the text as take `SPAN`, after one to warm up.
fn throughput(recognizer: &Recognizer, task: &Task) -> Result<f64, nerite::Error> {
    let run = |paragraphs: &[&str]| {
        let start = Instant::now();
        recognizer
            .recognize_batch(paragraphs, &task.lang)
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        Ok(start.elapsed().as_secs_f64())
    };
    let once: Vec<&str> = task.paragraphs.iter().map(String::as_str).collect();
    let warm_up = run(&once)?;
    let copies = (SPAN.as_secs_f64() / warm_up).round().max(1.0) as usize;
    let paragraphs = once.repeat(copies);
    let words: usize = paragraphs
        .iter()
        .map(|p| p.split_whitespace().count())
        .sum();
    Ok(words as f64 / run(&paragraphs)?)
}

/// Milliseconds of each sentence alone, after ten to warm up.
fn latencies(recognizer: &Recognizer, task: &Task) -> Result<Vec<f64>, nerite::Error> {
    for sentence in task.sentences.iter().take(10) {
        recognizer.recognize(sentence, &task.lang)?;
    }
    let time = |sentence: &String| {
        let start = Instant::now();
        recognizer.recognize(sentence, &task.lang)?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    task.sentences.iter().map(time).collect()
}

fn in_characters(text: &str, entities: &[Entity]) -> Vec<(usize, usize, String)> {
    let place = |entity: &Entity| {
        let range = entity.char_range(text)?;
        Some((range.start, range.end, entity.label.to_string()))
    };
    entities.iter().filter_map(place).collect()
}

/// The most memory that this process has held, in MiB, where the system tells.
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
