//! How much of the processor's matrix rate the whole pipeline reaches, on one thread.
//!
//! ```sh
//! cargo bench --bench roofline
//! ```
//!
//! First the rate itself, as each engine gives it: a product of 512 × 1536 by 1536 × 1536, in int8,
//! the quantisation of the one and the scaling of the result included, and in 32 bits. Then Italian technology news through the pipeline: the multiplications and
//! additions of the model's int8 matrices, divided by all the time that recognising took.

#[path = "../articles/mod.rs"]
mod articles;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use articles::articles;
use nerite::{Profile, Recognizer, Runtime};
use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;
use rten::{ModelOptions, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

const ROWS: usize = 512;
const SIDE: usize = 1536;
const ROUNDS: usize = 15;
const GRAPHS: [&str; 2] = ["int8", "fp32"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let graph = |name: &str| {
        root.join("benches/roofline")
            .join(name)
            .with_extension("onnx")
    };
    let articles = articles();
    let per_token = operations_per_token()?;
    println!("{:.1} million int8 operations a token\n", per_token / 1e6);
    println!(
        "| engine | int8 rate | fp32 rate | pipeline | share of int8 rate | split | tokenize | infer | decode |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for runtime in [Runtime::OnnxRuntime, Runtime::Rten] {
        let builder = Recognizer::builder().runtime(runtime).threads(1);
        let (recognizer, rates) = match runtime {
            Runtime::OnnxRuntime => {
                let environment = match environment() {
                    Ok(environment) => environment,
                    Err(e) => {
                        println!("ONNX Runtime is left out: ORT_DYLIB_PATH: {e}");
                        continue;
                    }
                };
                let rates = GRAPHS.map(|name| onnxruntime_rate(&environment, &graph(name)));
                (builder.with_environment(&environment).build()?, rates)
            }
            _ => (builder.build()?, GRAPHS.map(|name| rten_rate(&graph(name)))),
        };
        let [int8, fp32] = rates.map(|rate| rate.expect("the bench's own graphs run"));
        let profile = pipeline(&recognizer, &articles)?;
        let total = profile.total().as_secs_f64();
        let reached = profile.tokens as f64 * per_token / total;
        let share = |time: Duration| 100.0 * time.as_secs_f64() / total;
        println!(
            "| {runtime} | {:.0} GOP/s | {:.0} GFLOP/s | {:.0} GOP/s | {:.0} % | {:.1} % | {:.1} % | {:.1} % | {:.1} % |",
            int8 / 1e9,
            fp32 / 1e9,
            reached / 1e9,
            100.0 * reached / int8,
            share(profile.split),
            share(profile.tokenize),
            share(profile.infer),
            share(profile.decode),
        );
    }
    Ok(())
}

/// Multiplications and additions of a token with the model's int8 matrices, from its shape.
fn operations_per_token() -> Result<f64, Box<dyn Error>> {
    let config: serde_json::Value = serde_json::from_str(include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/models/nerite-small/config.json"
    )))?;
    let size = |name: &str| {
        config[name]
            .as_f64()
            .ok_or(format!("the model's config has no {name}"))
    };
    let (layers, hidden) = (size("num_hidden_layers")?, size("hidden_size")?);
    let wide = size("intermediate_size")?;
    Ok(2.0 * layers * (4.0 * hidden * hidden + 2.0 * hidden * wide))
}

/// The round of median length; each is the sum over all articles.
fn pipeline(recognizer: &Recognizer, articles: &[String]) -> Result<Profile, nerite::Error> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let mut sum = Profile::default();
        for article in articles {
            let (_, profile) = recognizer.profile(article, "it")?;
            sum.tokens += profile.tokens;
            sum.split += profile.split;
            sum.tokenize += profile.tokenize;
            sum.infer += profile.infer;
            sum.decode += profile.decode;
        }
        rounds.push(sum);
    }
    rounds.sort_by_key(Profile::total);
    Ok(rounds[ROUNDS / 2])
}

/// Operations per second of `run`, which does one product; the best of many.
fn rate<E>(mut run: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS * 4 {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok((2 * ROWS * SIDE * SIDE) as f64 / best)
}

fn input() -> Vec<f32> {
    (0..ROWS * SIDE)
        .map(|n| (n % 251) as f32 / 100.0 - 1.0)
        .collect()
}

fn environment() -> Result<Environment, Box<dyn Error>> {
    let library = PathBuf::from(std::env::var("ORT_DYLIB_PATH")?);
    Ok(ort::init_from(library)?.build()?)
}

fn onnxruntime_rate(environment: &Environment, graph: &Path) -> Result<f64, Box<dyn Error>> {
    let mut session = Session::builder(environment)?
        .with_intra_threads(1)?
        .commit_from_file(graph)?;
    let input = input();
    rate(|| {
        let x = TensorRef::from_array_view(([ROWS, SIDE], input.as_slice()))?;
        session.run(ort::inputs![x])?;
        Ok(())
    })
}

fn rten_rate(graph: &Path) -> Result<f64, Box<dyn Error>> {
    let model = ModelOptions::with_all_ops()
        .prepack_weights(true)
        .load_file(graph)?;
    let pool = std::sync::Arc::new(ThreadPool::with_num_threads(1));
    let x = NdTensor::<f32, 2>::from_data([ROWS, SIDE], input());
    let (from, to) = (model.input_ids()[0], model.output_ids()[0]);
    rate(|| {
        let options = RunOptions::default().with_thread_pool(Some(pool.clone()));
        model.run(vec![(from, x.view().into())], &[to], Some(options))?;
        Ok(())
    })
}
