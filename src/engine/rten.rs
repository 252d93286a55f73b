//! rten: inference in pure Rust.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::{panic, thread};

use ndarray::Array2;
use rten::{Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::{
    Engine, EngineInfo, Failure, Input, MAX_SPREAD, Running, Runtime, logits_output, matrix,
};
use crate::Error;
use crate::model::Graph;
use crate::tokens::Encoding;

/// A model that runs on as many threads as there may be inputs at the same time.
pub(super) struct Rten {
    info: EngineInfo,
    model: Model,
    inputs: Vec<(NodeId, Input)>,
    logits: NodeId,
    workers: Vec<Worker>,
    running: Running,
    /// The threads for an input that comes alone.
    spread: OnceLock<Arc<ThreadPool>>,
}

/// A pool of one thread, and how many inputs are waiting for it or running on it.
struct Worker {
    pool: Arc<ThreadPool>,
    inputs: AtomicUsize,
}

impl Worker {
    fn new() -> Self {
        Self {
            pool: Arc::new(ThreadPool::with_num_threads(1)),
            inputs: AtomicUsize::new(0),
        }
    }
}

impl Rten {
    pub(super) fn load(graph: &Graph, threads: usize) -> Result<Self, Error> {
        let model = undisturbed(|| {
            let mut options = ModelOptions::with_all_ops();
            options.prepack_weights(true);
            match graph.embedded {
                Some(bytes) => options.load_static_slice(bytes),
                None => options.load_file(&graph.path),
            }
        })
        .map_err(|e| graph.unreadable(e))?;
        let name = |id: NodeId| {
            model
                .node_info(id)
                .and_then(|info| info.name())
                .unwrap_or_default()
        };
        let inputs = model
            .input_ids()
            .iter()
            .map(|&id| Ok((id, Input::named(name(id), graph)?)))
            .collect::<Result<_, Error>>()?;
        let outputs = model.output_ids();
        let logits = outputs.get(logits_output(outputs.iter().map(|&id| name(id))));
        let logits = *logits.ok_or_else(|| graph.invalid("it has no output", None))?;
        Ok(Self {
            info: EngineInfo {
                runtime: Runtime::Rten,
                library: None,
                threads,
            },
            inputs,
            logits,
            workers: (0..threads).map(|_| Worker::new()).collect(),
            running: Running::default(),
            spread: OnceLock::new(),
            model,
        })
    }
}

/// Runs `job`, which waits for rten's threads, so that the caller's does nothing else meanwhile.
///
/// A thread of a rayon pool that waits for another pool runs other jobs of its own. One of those may
/// want what the caller holds, such as the lock of a model that is just being loaded, and then wait
/// for ever.
fn undisturbed<R: Send>(job: impl FnOnce() -> R + Send) -> R {
    match rayon::current_thread_index() {
        None => job(),
        Some(_) => thread::scope(|scope| scope.spawn(job).join())
            .unwrap_or_else(|panic| panic::resume_unwind(panic)),
    }
}

impl Engine for Rten {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn outputs(&self) -> Option<usize> {
        match self.model.node_info(self.logits)?.shape()?.last()? {
            Dimension::Fixed(labels) => Some(*labels),
            Dimension::Symbolic(_) => None,
        }
    }

    fn run(&self, input: &Encoding, alone: bool) -> Result<Array2<f32>, Failure> {
        let turn = self.running.enter();
        if alone && turn.only && self.info.threads > 1 {
            self.run_on(self.spread(), input)
        } else {
            self.run_beside(input)
        }
    }
}

impl Rten {
    /// Runs on one thread, beside others.
    fn run_beside(&self, input: &Encoding) -> Result<Array2<f32>, Failure> {
        let idlest = self
            .workers
            .iter()
            .min_by_key(|worker| worker.inputs.load(Ordering::Relaxed));
        let worker = idlest.expect("there is at least one thread");
        worker.inputs.fetch_add(1, Ordering::Relaxed);
        let result = self.run_on(&worker.pool, input);
        worker.inputs.fetch_sub(1, Ordering::Relaxed);
        result
    }

    fn spread(&self) -> &Arc<ThreadPool> {
        let threads = self.info.threads.min(MAX_SPREAD);
        self.spread
            .get_or_init(|| Arc::new(ThreadPool::with_num_threads(threads)))
    }

    fn run_on(&self, pool: &Arc<ThreadPool>, input: &Encoding) -> Result<Array2<f32>, Failure> {
        let tokens = input.ids.len();
        let inputs = self
            .inputs
            .iter()
            .map(|&(id, kind)| {
                let values = NdTensor::<i32, 2>::from_data([1, tokens], kind.values(input));
                (id, Value::from(values).into())
            })
            .collect();
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(pool)));
        let outputs = undisturbed(|| self.model.run(inputs, &[self.logits], Some(options)));
        let mut outputs = outputs.map_err(Failure::from_source)?;
        let logits = outputs
            .pop()
            .ok_or_else(|| Failure::new("the model gave no output"))?;
        let logits: Tensor<f32> = logits.try_into().map_err(Failure::from_source)?;
        matrix(logits.shape(), logits.to_vec())
    }
}
