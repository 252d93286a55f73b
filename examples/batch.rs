//! Recognises a folder of texts, or a file of JSON lines, and writes JSON lines.
//!
//! ```sh
//! cargo run --release --example batch -- --lang it articles/ entities.jsonl
//! cargo run --release --example batch -- --lang auto --field body news.jsonl entities.jsonl
//! ```
//!
//! Each line of the output is `{"id":…,"entities":[…]}`, or `{"id":…,"error":"…"}` for a text that
//! failed; the id is the file's name, or the number of the input line from 0. The work is resumed
//! where the output ends: run the same command again after an interruption.

use std::collections::HashSet;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Seek, SeekFrom, Write, stderr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nerite::{Entity, Recognizer, Runtime};
use serde::{Deserialize, Serialize};

#[derive(Parser)]
#[command(about = "Recognises a folder of texts, or a file of JSON lines, and writes JSON lines")]
struct Arguments {
    /// Language of the texts, as a BCP 47 tag, or `auto`.
    #[arg(long, default_value = "auto")]
    lang: String,
    /// Field of the JSON lines that holds the text.
    #[arg(long, default_value = "text")]
    field: String,
    /// Engine to run the model on: `auto`, `ort` or `rten`.
    #[arg(long, default_value = "auto")]
    engine: Runtime,
    /// Directory of another model, in Hugging Face layout.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Threads to run on.
    #[arg(long)]
    threads: Option<usize>,
    /// A folder of text files, or a file of JSON lines.
    input: PathBuf,
    /// The file to write or to go on writing.
    output: PathBuf,
}

/// A line of the output.
#[derive(Serialize, Deserialize)]
struct Line {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    entities: Option<Vec<Entity>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    error: Option<String>,
}

/// A text to recognise, or why it cannot be read.
struct Text {
    id: String,
    content: Result<String, String>,
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }
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
    let (mut output, done) = open(&arguments.output)?;
    let (texts, total) = texts(&arguments.input, &arguments.field)?;
    let bar = progress(total, done.len());
    let todo = texts.filter(|text| !done.contains(&text.id));

    let start = Instant::now();
    let (mut count, mut words, mut errors) = (0usize, 0, 0);
    for (text, result) in recognizer.stream(todo, &arguments.lang) {
        words += text.as_ref().split_whitespace().count();
        let result = match text.content {
            Ok(_) => result.map_err(|e| e.to_string()),
            Err(e) => Err(e),
        };
        errors += usize::from(result.is_err());
        let (entities, error) = match result {
            Ok(entities) => (Some(entities), None),
            Err(e) => (None, Some(e)),
        };
        serde_json::to_writer(
            &mut output,
            &Line {
                id: text.id,
                entities,
                error,
            },
        )?;
        output.write_all(b"\n")?;
        count += 1;
        bar.inc(1);
        bar.set_message(format!(
            "{:.0} words/s",
            words as f64 / start.elapsed().as_secs_f64()
        ));
    }
    output.flush()?;
    bar.finish_and_clear();
    eprintln!(
        "{count} texts, {words} words, {errors} errors, {:.0} words/s on {}; {} were there already",
        words as f64 / start.elapsed().as_secs_f64(),
        recognizer.engine(),
        done.len(),
    );
    Ok(())
}

/// Opens the output to append to it, and reads which texts it has. A last line that an interruption
/// left unfinished is cut off.
fn open(path: &Path) -> Result<(BufWriter<File>, HashSet<String>), Box<dyn Error>> {
    let context = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path);
    let mut file = file.map_err(|e| context(&e))?;
    let mut done = HashSet::new();
    let mut whole = 0;
    let mut reader = BufReader::new(&file);
    let mut line = String::new();
    while reader.read_line(&mut line).map_err(|e| context(&e))? > 0 && line.ends_with('\n') {
        let parsed: Line = serde_json::from_str(&line).map_err(|e| {
            context(&format!(
                "line {} is not of this program's output: {e}",
                done.len() + 1
            ))
        })?;
        done.insert(parsed.id);
        whole += line.len() as u64;
        line.clear();
    }
    file.set_len(whole)?;
    file.seek(SeekFrom::End(0))?;
    Ok((BufWriter::new(file), done))
}

type Texts = Box<dyn Iterator<Item = Text>>;

/// The texts of the input, read as they are asked for, and their number if it is known.
fn texts(input: &Path, field: &str) -> Result<(Texts, Option<usize>), Box<dyn Error>> {
    let context = |e| format!("{}: {e}", input.display());
    if input.is_dir() {
        let entries = fs::read_dir(input)
            .map_err(context)?
            .collect::<Result<Vec<_>, _>>();
        let mut files: Vec<_> = entries
            .map_err(context)?
            .into_iter()
            .map(|e| e.path())
            .collect();
        files.retain(|path| path.is_file());
        files.sort();
        let total = files.len();
        let texts = files.into_iter().map(|path| Text {
            id: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            content: fs::read_to_string(&path).map_err(|e| e.to_string()),
        });
        return Ok((Box::new(texts), Some(total)));
    }
    let lines = BufReader::new(File::open(input).map_err(context)?).lines();
    let field = field.to_owned();
    let texts = lines.enumerate().map(move |(at, line)| Text {
        id: at.to_string(),
        content: line
            .map_err(|e| e.to_string())
            .and_then(|line| text_of(&line, &field)),
    });
    Ok((Box::new(texts), None))
}

fn text_of(line: &str, field: &str) -> Result<String, String> {
    let value: serde_json::Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let text = value.get(field).and_then(|text| text.as_str());
    text.map(str::to_owned)
        .ok_or_else(|| format!("the line has no text field `{field}`"))
}

/// A bar on a terminal, and nothing elsewhere.
fn progress(total: Option<usize>, done: usize) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total.saturating_sub(done) as u64)
            .with_style(style("{bar:40} {pos}/{len} {msg} {eta}")),
        None => ProgressBar::new_spinner().with_style(style("{spinner} {pos} {msg}")),
    };
    if !stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well-formed")
}
