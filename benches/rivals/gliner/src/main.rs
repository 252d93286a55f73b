//! gline-rs as a contender of `compare.py`: `gliner-contender THREADS TASK.json GRAPH TOKENIZER`
//! prints what `contender.py` prints, measured the same way.

#[path = "../../measure.rs"]
mod measure;

use std::error::Error;
use std::time::Instant;

use gliner::model::GLiNER;
use gliner::model::input::text::TextInput;
use gliner::model::params::Parameters;
use gliner::model::pipeline::token::TokenMode;
use measure::{Span, Task};

/// As many types as nerite's model has.
const TYPES: [&str; 10] = [
    "person",
    "organization",
    "location",
    "product",
    "event",
    "work",
    "date",
    "money",
    "percent",
    "quantity",
];
/// Words of a text, beyond which it would be cut; no text of the comparison is as long.
const MAX_WORDS: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or(format!("{what} is missing"));
    let threads: usize = next("the number of threads")?.parse()?;
    let task = Task::read(&next("the task")?)?;
    let graph = next("the graph")?;
    let tokenizer = next("the tokenizer")?;

    let start = Instant::now();
    let parameters = Parameters::default().with_max_length(Some(MAX_WORDS));
    let runtime = orp::params::RuntimeParameters::default().with_threads(threads);
    let model = GLiNER::<TokenMode>::new(parameters, runtime, tokenizer, graph)
        .map_err(|e| e.to_string())?;
    let recognize = |texts: &[&str]| -> Result<Vec<Vec<Span>>, Box<dyn Error>> {
        let input = TextInput::from_str(texts, &TYPES).map_err(|e| e.to_string())?;
        let output = model.inference(input).map_err(|e| e.to_string())?;
        let spans = output.spans.iter().map(|spans| {
            let span = |s: &gliner::text::span::Span| {
                let (start, end) = s.offsets();
                (start, end, s.class().to_owned())
            };
            spans.iter().map(span).collect()
        });
        Ok(spans.collect())
    };
    recognize(&[&task.sentences[0]])?;
    let ready = start.elapsed();

    let outcome = measure::measure(&task, ready, &["batch 1", "batch 8"], |texts, way| {
        let size = if way == "batch 8" { 8 } else { 1 };
        let batches = texts.chunks(size).map(recognize);
        Ok(batches.collect::<Result<Vec<_>, _>>()?.concat())
    })?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
