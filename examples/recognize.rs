//! Shows the entities of a text: coloured in the terminal, as JSON lines, or as an HTML page.
//!
//! ```sh
//! cargo run --release --example recognize -- --lang it                     # the article that comes along
//! cargo run --release --example recognize -- --lang it --format html article.txt > page.html
//! echo "Tim Cook è a Cupertino." | cargo run --release --example recognize -- --format jsonl -
//! ```

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use clap::{Parser, ValueEnum};
use nerite::{Entity, Label, Recognizer, Runtime};

const ARTICLE: &str = include_str!("article.it.txt");

#[derive(Parser)]
#[command(about = "Shows the entities of a text")]
struct Arguments {
    /// Language of the text, as a BCP 47 tag, or `auto`.
    #[arg(long, default_value = "it")]
    lang: String,
    /// How to show the entities; JSON lines have byte offsets of the input.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Engine to run the model on: `auto`, `ort` or `rten`.
    #[arg(long, default_value = "auto")]
    engine: Runtime,
    /// Directory of another model, in Hugging Face layout.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Take the argument as the text instead of as a file.
    #[arg(long)]
    text: bool,
    /// File to read, or `-` for standard input; by default the article that comes with the example.
    file: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Jsonl,
    Html,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let text = read(&arguments)?;
    let start = Instant::now();
    let mut builder = Recognizer::builder().runtime(arguments.engine);
    if let Some(dir) = &arguments.model {
        builder = builder.model_dir(dir);
    }
    let recognizer = builder.build()?;
    let loaded = start.elapsed();
    let entities = recognizer.recognize(&text, &arguments.lang)?;
    let took = start.elapsed() - loaded;

    let mut out = anstream::stdout().lock();
    let written = match arguments.format {
        Format::Text => write!(out, "{}", terminal(&text, &entities)),
        Format::Jsonl => entities.iter().try_for_each(|entity| {
            writeln!(
                out,
                "{}",
                serde_json::to_string(entity).map_err(io::Error::from)?
            )
        }),
        Format::Html => write!(out, "{}", html(&text, &entities, &arguments.lang)),
    };
    match written {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        written => written?,
    }
    let words = text.split_whitespace().count();
    eprintln!(
        "{} entities in {words} words; {}; loaded in {} ms, recognised in {} ms",
        entities.len(),
        recognizer.engine(),
        loaded.as_millis(),
        took.as_millis(),
    );
    Ok(())
}

fn read(arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    match arguments.file.as_deref() {
        None => Ok(ARTICLE.to_owned()),
        Some(text) if arguments.text => Ok(text.to_owned()),
        Some("-") => {
            let mut text = String::new();
            io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| format!("standard input: {e}"))?;
            Ok(text)
        }
        Some(path) => Ok(fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?),
    }
}

/// The text with its entities coloured and labelled.
fn terminal(text: &str, entities: &[Entity]) -> String {
    let mut page = String::new();
    let mut end = 0;
    for entity in entities {
        let style = style(&entity.label).bold();
        page.push_str(&text[end..entity.span.start]);
        write!(page, "{style}{}{style:#}", entity.text)
            .expect("a string takes all that is written");
        let dim = Style::new().dimmed();
        write!(page, "{dim}[{}]{dim:#}", entity.label).expect("a string takes all that is written");
        end = entity.span.end;
    }
    page.push_str(&text[end..]);
    if !page.ends_with('\n') {
        page.push('\n');
    }
    page
}

fn style(label: &Label) -> Style {
    let color = match label {
        Label::Per => AnsiColor::Magenta,
        Label::Org => AnsiColor::Blue,
        Label::Loc => AnsiColor::Green,
        Label::Product => AnsiColor::Cyan,
        Label::Event | Label::Work => AnsiColor::Red,
        _ => AnsiColor::Yellow,
    };
    color.on_default()
}

/// A page of its own, with the entities marked as displaCy does.
fn html(text: &str, entities: &[Entity], lang: &str) -> String {
    let mut body = String::new();
    let mut end = 0;
    for entity in entities {
        body.push_str(&escaped(&text[end..entity.span.start]));
        write!(
            body,
            "<mark style=\"background:{}\" title=\"{:.2}\">{}<b>{}</b></mark>",
            background(&entity.label),
            entity.score,
            escaped(&entity.text),
            escaped(entity.label.as_str()),
        )
        .expect("a string takes all that is written");
        end = entity.span.end;
    }
    body.push_str(&escaped(&text[end..]));
    let lang = escaped(lang);
    format!(
        "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Entities</title>\n<style>\n\
         body {{ font: 18px/2 Georgia, serif; max-width: 44em; margin: 3em auto; padding: 0 1em }}\n\
         p {{ white-space: pre-wrap }}\n\
         mark {{ padding: .2em .4em; border-radius: .35em; color: inherit }}\n\
         mark b {{ font: bold .6em sans-serif; margin-left: .6em; vertical-align: middle }}\n\
         </style>\n</head>\n<body>\n<p>{body}</p>\n</body>\n</html>\n"
    )
}

fn background(label: &Label) -> &'static str {
    match label {
        Label::Per => "#e9cdf5",
        Label::Org => "#c3dcfb",
        Label::Loc => "#cdeecb",
        Label::Product => "#c5f0ef",
        Label::Event => "#fbd9c3",
        Label::Work => "#f9cfd6",
        _ => "#f7edb9",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
