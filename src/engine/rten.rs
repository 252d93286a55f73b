//! rten: inference in pure Rust.

use std::sync::Arc;

use ndarray::Array2;
use rten::{Dimension, Model, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::pool::Pool;
use super::{Engine, EngineInfo, Failure, Input, Runtime, logits_output, matrix};
use crate::Error;
use crate::model::Graph;
use crate::tokens::Encoding;

/// A model that runs on as many single-thread pools as there may be inputs at the same time.
pub(super) struct Rten {
    info: EngineInfo,
    model: Model,
    inputs: Vec<(NodeId, Input)>,
    logits: NodeId,
    pools: Pool<Arc<ThreadPool>>,
}

impl Rten {
    pub(super) fn load(graph: &Graph, threads: usize) -> Result<Self, Error> {
        let model = match graph.embedded {
            Some(bytes) => Model::load_static_slice(bytes),
            None => Model::load_file(&graph.path),
        }
        .map_err(|e| graph.unreadable(e))?;
        let name = |id: NodeId| model.node_info(id).and_then(|info| info.name()).unwrap_or_default();
        let inputs = model
            .input_ids()
            .iter()
            .map(|&id| Ok((id, Input::named(name(id), graph)?)))
            .collect::<Result<_, Error>>()?;
        let outputs = model.output_ids();
        let logits = outputs.get(logits_output(outputs.iter().map(|&id| name(id))));
        let logits = *logits.ok_or_else(|| graph.invalid("it has no output", None))?;
        Ok(Self {
            info: EngineInfo { runtime: Runtime::Rten, library: None, threads },
            inputs,
            logits,
            pools: Pool::new(threads, single_thread()),
            model,
        })
    }
}

fn single_thread() -> Arc<ThreadPool> {
    Arc::new(ThreadPool::with_num_threads(1))
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

    fn run(&self, input: &Encoding) -> Result<Array2<f32>, Failure> {
        let tokens = input.ids.len();
        let inputs = self
            .inputs
            .iter()
            .map(|&(id, kind)| {
                let values = NdTensor::<i32, 2>::from_data([1, tokens], kind.values(input));
                (id, Value::from(values).into())
            })
            .collect();
        let run = |pool: &mut Arc<ThreadPool>| {
            let options = RunOptions::default().with_thread_pool(Some(Arc::clone(pool)));
            self.model.run(inputs, &[self.logits], Some(options)).map_err(Failure::from_source)
        };
        let mut outputs = self.pools.with(|| Ok(single_thread()), run)?;
        let logits = outputs.pop().ok_or_else(|| Failure::new("the model gave no output"))?;
        let logits: Tensor<f32> = logits.try_into().map_err(Failure::from_source)?;
        matrix(&logits.shape().to_vec(), logits.to_vec())
    }
}
