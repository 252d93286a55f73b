//! Scores a model on annotated files.
//!
//! ```sh
//! cargo run --release --example evaluate -- --lang it --json corpus.txt
//! ```
//!
//! `.conll` files are pre-tokenised; other files have one text a line with inline markup. The last
//! line of the output, with `--json`, is one JSON object; all figures are percentages.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use nerite::evaluation::{AnnotatedText, Counts, Evaluation, Scores, read_conll, read_markup};
use nerite::{Label, Recognizer, Runtime};
use serde::Serialize;

#[derive(Parser)]
#[command(about = "Scores a model on annotated files: exact-span and token F1 per type")]
struct Arguments {
    /// Language of the files, as a BCP 47 tag, or `auto`.
    #[arg(long, default_value = "it")]
    lang: String,
    /// Engine to run the model on: `auto`, `ort` or `rten`.
    #[arg(long, default_value = "auto")]
    engine: Runtime,
    /// Directory of another model, in Hugging Face layout.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Types to score, separated by commas; by default those of the model, and for a `.conll` file,
    /// which may mark fewer, those of them that occur in the file.
    #[arg(long, value_delimiter = ',')]
    labels: Vec<String>,
    /// Threads to run on.
    #[arg(long)]
    threads: Option<usize>,
    /// Print the scores as a line of JSON too.
    #[arg(long)]
    json: bool,
    /// Annotated files: `.conll`, or text with `[[inline|MARKUP]]`.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// The object of the last line.
#[derive(Serialize)]
struct Report {
    micro: Row,
    types: BTreeMap<String, Row>,
    items: usize,
    words: usize,
    words_per_s: f64,
    calibration_error: f64,
    engine: String,
}

#[derive(Serialize)]
struct Row {
    p: f64,
    r: f64,
    f1: f64,
    token_f1: f64,
    gold: usize,
}

impl From<&Scores> for Row {
    fn from(scores: &Scores) -> Self {
        let Counts {
            true_positives,
            false_negatives,
            ..
        } = scores.span;
        Self {
            p: rounded(scores.span.precision()),
            r: rounded(scores.span.recall()),
            f1: rounded(scores.span.f1()),
            token_f1: rounded(scores.token.f1()),
            gold: true_positives + false_negatives,
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut builder = Recognizer::builder().runtime(arguments.engine);
    if let Some(dir) = &arguments.model {
        builder = builder.model_dir(dir);
    }
    if let Some(threads) = arguments.threads {
        builder = builder.threads(threads);
    }
    let recognizer = builder.build()?;
    let asked: Vec<Label> = arguments
        .labels
        .iter()
        .map(|name| Label::from(name.as_str()))
        .collect();

    let mut total = Evaluation::new(&[]);
    let (mut items, mut words, mut took) = (0, 0, Duration::ZERO);
    for path in &arguments.files {
        let corpus = read(path)?;
        let mut labels = if asked.is_empty() {
            recognizer.labels().to_vec()
        } else {
            asked.clone()
        };
        if asked.is_empty() && is_conll(path) {
            labels.retain(|label| {
                corpus
                    .iter()
                    .flat_map(|item| &item.entities)
                    .any(|e| e.1 == *label)
            });
        }
        let texts: Vec<&str> = corpus.iter().map(|item| item.text.as_str()).collect();
        let start = Instant::now();
        let results = recognizer.recognize_batch(&texts, &arguments.lang);
        took += start.elapsed();
        let mut evaluation = Evaluation::new(&labels);
        for (item, entities) in corpus.iter().zip(results) {
            evaluation.add(item, &entities?);
        }
        total.merge(&evaluation);
        items += corpus.len();
        words += texts
            .iter()
            .map(|text| text.split_whitespace().count())
            .sum::<usize>();
    }
    let report = Report {
        micro: (&total.micro()).into(),
        types: total
            .types()
            .iter()
            .map(|(label, s)| (label.to_string(), s.into()))
            .collect(),
        items,
        words,
        words_per_s: (words as f64 / took.as_secs_f64()).round(),
        calibration_error: rounded(total.calibration_error()),
        engine: recognizer.engine().to_string(),
    };
    print_table(&report);
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}

fn is_conll(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "conll")
}

fn read(path: &Path) -> Result<Vec<AnnotatedText>, Box<dyn Error>> {
    let content = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let items = if is_conll(path) {
        read_conll(&content)
    } else {
        read_markup(&content)
    };
    Ok(items.map_err(|e| format!("{}: {e}", path.display()))?)
}

fn print_table(report: &Report) {
    println!(
        "{} items, {} words, {:.0} words/s on {}",
        report.items, report.words, report.words_per_s, report.engine
    );
    println!(
        "{:<10} {:>6} {:>6} {:>6} {:>8} {:>6}",
        "type", "p", "r", "f1", "token f1", "gold"
    );
    let all = ("all".to_owned(), &report.micro);
    let types = report.types.iter().map(|(name, row)| (name.clone(), row));
    for (
        name,
        Row {
            p,
            r,
            f1,
            token_f1,
            gold,
        },
    ) in types.chain([all])
    {
        println!("{name:<10} {p:>6.1} {r:>6.1} {f1:>6.1} {token_f1:>8.1} {gold:>6}");
    }
    println!(
        "calibration error of the scores: {:.1}",
        report.calibration_error
    );
}
