//! Guards what runs outside the engine: instructions, counted by callgrind, of recognising one
//! article. They are the same whatever else the machine does, so a slower stage shows at once.
//!
//! ```sh
//! cargo bench --bench instructions
//! ```
//!
//! Fails where a stage takes 5 % more than `benches/instructions.tsv` says; `NERITE_UPDATE=1` writes
//! that file anew. Needs `valgrind`, and is skipped without it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use nerite::{Recognizer, Runtime};

/// Stages, and the function that each one is, callees included.
const STAGES: [(&str, &str); 3] = [
    ("tokenize", "nerite::tokens::Encoder::encode"),
    ("hand over", "nerite::engine::run"),
    ("decode", "nerite::decode::Decoder::decode"),
];
/// All stages and what joins them.
const WHOLE: &str = "nerite::recognizer::profile::<impl nerite::recognizer::Recognizer>::profile";
/// What the caller's thread does to have the engine's thread run; another crate's code.
const UNGUARDED: &str = "hand over";
const TOLERANCE: f64 = 1.05;
const CHILD: &str = "--recognize";

fn main() -> Result<(), Box<dyn Error>> {
    if env::args().any(|argument| argument == CHILD) {
        let recognizer = Recognizer::builder()
            .runtime(Runtime::Rten)
            .threads(1)
            .build()?;
        recognizer.profile(include_str!("../examples/article.it.txt"), "it")?;
        return Ok(());
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed");
        return Ok(());
    }
    let counts = count()?;
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.tsv");
    if env::var_os("NERITE_UPDATE").is_some() {
        let lines = counts
            .iter()
            .map(|(stage, count)| format!("{stage}\t{count}\n"));
        fs::write(record, lines.collect::<String>())?;
        return Ok(());
    }
    let known = fs::read_to_string(&record).map_err(|e| format!("{}: {e}", record.display()))?;
    let mut slower = Vec::new();
    for line in known.lines() {
        let (stage, before) = line.split_once('\t').ok_or("a line without a tab")?;
        let before: u64 = before.parse()?;
        let now = *counts.get(stage).ok_or(format!("no stage {stage}"))?;
        let ratio = now as f64 / before as f64;
        println!("{stage:9} {now:>12} instructions, {ratio:.3} of what is recorded");
        if ratio > TOLERANCE && stage != UNGUARDED {
            slower.push(stage);
        }
    }
    if slower.is_empty() {
        Ok(())
    } else {
        Err(format!("slower than recorded: {}", slower.join(", ")).into())
    }
}

/// Instructions of each stage, and of the rest of recognising.
fn count() -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let profile = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("callgrind.out");
    let valgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(env::current_exe()?)
        .arg(CHILD)
        .status()?;
    if !valgrind.success() {
        return Err(format!("valgrind ended with {valgrind}").into());
    }
    let annotate = Command::new("callgrind_annotate")
        .args(["--inclusive=yes", "--threshold=100"])
        .arg(&profile)
        .output()?;
    if !annotate.status.success() {
        return Err(format!("callgrind_annotate ended with {}", annotate.status).into());
    }
    let listing = String::from_utf8(annotate.stdout)?;
    let inclusive = |function: &str| -> Result<u64, Box<dyn Error>> {
        let line = listing
            .lines()
            .find(|line| {
                line.contains(&format!(":{function} ")) || line.contains(&format!(":{function}'"))
            })
            .ok_or(format!("callgrind saw no call of {function}"))?;
        let count: String = line
            .trim()
            .chars()
            .take_while(|c| *c != ' ')
            .filter(char::is_ascii_digit)
            .collect();
        Ok(count.parse()?)
    };
    let mut counts = BTreeMap::new();
    let mut rest = inclusive(WHOLE)?;
    for (stage, function) in STAGES {
        let count = inclusive(function)?;
        rest -= count;
        counts.insert(stage.to_owned(), count);
    }
    counts.insert("rest".to_owned(), rest);
    Ok(counts)
}
