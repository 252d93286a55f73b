//! Words per second on the Italian technology news in `tests/corpus/it`: one article at a time on
//! one thread, all of them as a batch on all threads, and room by room, for each engine.
//!
//! ```sh
//! cargo bench --bench throughput
//! ```
//!
//! ONNX Runtime is measured where its library is found.

mod articles;

use std::time::Duration;

use articles::articles;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nerite::{Profile, Recognizer, Runtime};

fn words<T: AsRef<str>>(texts: &[T]) -> Throughput {
    let words = texts
        .iter()
        .map(|text| text.as_ref().split_whitespace().count() as u64);
    Throughput::Elements(words.sum())
}

/// The engines that run here, by name.
fn engines(threads: Option<usize>) -> Vec<(&'static str, Recognizer)> {
    let engines = [("ort", Runtime::OnnxRuntime), ("rten", Runtime::Rten)];
    let load = |(name, runtime)| {
        let mut builder = Recognizer::builder().runtime(runtime);
        if let Some(threads) = threads {
            builder = builder.threads(threads);
        }
        match builder.build() {
            Ok(recognizer) => Some((name, recognizer)),
            Err(e) => {
                eprintln!("{name} is left out: {e}");
                None
            }
        }
    };
    engines.into_iter().filter_map(load).collect()
}

fn single(c: &mut Criterion) {
    let articles = articles();
    let article = &articles[0];
    let mut group = c.benchmark_group("single");
    group.throughput(words(&[article]));
    for (name, recognizer) in engines(Some(1)) {
        group.bench_with_input(
            BenchmarkId::new("article, 1 thread", name),
            article,
            |b, text| {
                b.iter(|| recognizer.recognize(text, "it").unwrap());
            },
        );
    }
    group.finish();
}

fn batch(c: &mut Criterion) {
    let articles = articles();
    let mut group = c.benchmark_group("batch");
    group.throughput(words(&articles)).sample_size(10);
    for (name, recognizer) in engines(None) {
        group.bench_with_input(
            BenchmarkId::new("articles, all threads", name),
            &articles,
            |b, texts| {
                b.iter(|| recognizer.recognize_batch(texts, "it"));
            },
        );
    }
    group.finish();
}

fn stages(c: &mut Criterion) {
    let articles = articles();
    let article = &articles[0];
    type Stage = fn(&Profile) -> Duration;
    let stages: [(&str, Stage); 4] = [
        ("split", |profile| profile.split),
        ("tokenize", |profile| profile.tokenize),
        ("infer", |profile| profile.infer),
        ("decode", |profile| profile.decode),
    ];
    let mut group = c.benchmark_group("stages");
    group.throughput(words(&[article])).sample_size(10);
    for (name, recognizer) in engines(Some(1)) {
        for (stage, time) in stages {
            group.bench_function(BenchmarkId::new(stage, name), |b| {
                b.iter_custom(|iterations| {
                    let run = |_| time(&recognizer.profile(article, "it").unwrap().1);
                    (0..iterations).map(run).sum()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, single, batch, stages);
criterion_main!(benches);
