//! Memory does not grow with what is recognised, beyond the text and the result. In a process of its
//! own, because the peak is the process's.
#![cfg(all(feature = "rten", target_os = "linux"))]

use std::fs;
use std::path::Path;

use nerite::{Recognizer, Runtime};

const SENTENCE: &str = "Mario Rossi lavora alla Banca Lombarda di Milano. ";

/// Peak memory of the process in bytes; the kernel counts it by threads and may take some back.
fn peak_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<usize>()
        .unwrap()
        * 1024
}

#[test]
fn memory_does_not_grow_with_what_is_recognised() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert-wordpiece");
    let recognizer = Recognizer::builder()
        .model_dir(dir)
        .runtime(Runtime::Rten)
        .build()
        .unwrap();

    let text = SENTENCE.repeat(20);
    let run = |texts: usize| {
        recognizer
            .stream((0..texts).map(|_| text.clone()), "it")
            .count()
    };
    run(500);
    let before = peak_memory();
    assert_eq!(run(5_000), 5_000);
    let grown = peak_memory().saturating_sub(before);
    assert!(
        grown < 8 << 20,
        "the peak grew by {grown} bytes over a stream of 5 MB"
    );

    let paragraphs = format!("{text}\n\n").repeat(5_000);
    let before = peak_memory();
    let entities = recognizer.recognize(&paragraphs, "it").unwrap();
    let result: usize = entities
        .iter()
        .map(|entity| size_of_val(entity) + entity.text.len() + 32)
        .sum();
    let grown = peak_memory().saturating_sub(before + 2 * result);
    assert!(
        grown < 8 << 20,
        "the peak grew by {grown} bytes besides the result over a text of 5 MB"
    );
}
