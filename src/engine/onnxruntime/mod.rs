//! ONNX Runtime, through `ort`.

mod environment;
mod library;
mod pool;

use std::sync::{Mutex, PoisonError};

use ndarray::Array2;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{Tensor, TensorElementType, ValueType};
use pool::Pool;

use super::{
    Engine, EngineInfo, Failure, Input, MAX_SPREAD, Options, Running, Runtime, logits_output,
    matrix,
};
use crate::Error;
use crate::model::Graph;
use crate::tokens::Encoding;

/// Inputs that wait, or come alone, before another session is made, which takes as long as half a dozen inputs and as
/// much memory as the model again.
const PATIENCE: usize = 8;

/// As many single-thread sessions of one model as there may be inputs at the same time, and one of several threads
/// for an input that comes alone; the first is made at once, each other one when it is worth it.
pub(super) struct OnnxRuntime {
    info: EngineInfo,
    source: Source,
    inputs: Vec<InputSlot>,
    /// Which of the outputs holds the logits.
    logits: usize,
    outputs: Option<usize>,
    sessions: Pool<Session>,
    running: Running,
    spread: Mutex<Spread>,
}

/// A session of several threads, made when enough inputs have come alone.
#[derive(Default)]
struct Spread {
    alone: usize,
    session: Option<Session>,
}

struct InputSlot {
    name: String,
    kind: Input,
    element: TensorElementType,
}

/// What sessions are made of.
struct Source {
    environment: Environment,
    graph: Graph,
}

impl Source {
    fn session(&self, threads: usize) -> ort::Result<Session> {
        let builder = Session::builder(&self.environment)?
            .with_log_level(LogLevel::Warning)?
            .with_intra_threads(threads)?
            // Between runs its threads sleep.
            .with_config_entry("session.force_spinning_stop", "1")?
            .with_inter_threads(1)?
            // Inputs differ in length, and a memory pattern is kept for each length ever seen.
            .with_memory_pattern(false)?
            // Its variance in one pass is less exact: on the first model, of 3,966 tokens of Italian
            // news, 31 had another label than on rten with it, and 17 without.
            .with_disabled_optimizers("SkipLayerNormFusion")?;
        let mut builder = if has_exact_int8() {
            builder
        } else {
            builder.with_precise_qmm()?
        };
        match self.graph.embedded {
            Some(bytes) => builder.commit_from_memory(bytes),
            None => builder.commit_from_file(&self.graph.path),
        }
    }
}

/// Whether the processor adds up products of bytes without cutting off large sums. If not, ONNX Runtime
/// can go another way, exact and slower: with VNNI, where it is not needed, 1.7 times as slow.
fn has_exact_int8() -> bool {
    #[cfg(target_arch = "x86_64")]
    let exact = is_x86_feature_detected!("avx512vnni") || is_x86_feature_detected!("avxvnni");
    #[cfg(not(target_arch = "x86_64"))]
    let exact = true;
    exact
}

impl OnnxRuntime {
    pub(super) fn load(graph: &Graph, options: &Options) -> Result<Self, Error> {
        let (environment, library) =
            environment::get(options.environment.as_ref(), options.library.as_deref())?;
        let source = Source {
            environment,
            graph: graph.clone(),
        };
        let session = source.session(1).map_err(|e| graph.unreadable(e))?;
        let inputs = session
            .inputs()
            .iter()
            .map(|input| {
                Ok(InputSlot {
                    name: input.name().to_owned(),
                    kind: Input::named(input.name(), graph)?,
                    element: integer(input.dtype()).ok_or_else(|| {
                        let problem = format!("its input `{}` takes no integers", input.name());
                        graph.invalid(problem, None)
                    })?,
                })
            })
            .collect::<Result<_, Error>>()?;
        let logits = logits_output(session.outputs().iter().map(|output| output.name()));
        let output = session.outputs().get(logits);
        let output = output.ok_or_else(|| graph.invalid("it has no output", None))?;
        let outputs = match output.dtype() {
            ValueType::Tensor { shape, .. } => shape
                .last()
                .and_then(|&labels| usize::try_from(labels).ok()),
            _ => None,
        };
        let threads = options.threads;
        Ok(Self {
            info: EngineInfo {
                runtime: Runtime::OnnxRuntime,
                library,
                threads,
            },
            source,
            inputs,
            logits,
            outputs,
            sessions: Pool::new(threads, PATIENCE, session),
            running: Running::default(),
            spread: Mutex::default(),
        })
    }
}

/// The element type of an input, if it is one that token ids fit into.
fn integer(input: &ValueType) -> Option<TensorElementType> {
    match input {
        ValueType::Tensor { ty, .. }
            if matches!(ty, TensorElementType::Int64 | TensorElementType::Int32) =>
        {
            Some(*ty)
        }
        _ => None,
    }
}

impl InputSlot {
    fn tensor(&self, encoding: &Encoding) -> ort::Result<SessionInputValue<'static>> {
        let shape = [1, encoding.ids.len()];
        Ok(match self.element {
            TensorElementType::Int32 => {
                Tensor::from_array((shape, self.kind.values::<i32>(encoding)))?.into()
            }
            _ => Tensor::from_array((shape, self.kind.values::<i64>(encoding)))?.into(),
        })
    }
}

impl Engine for OnnxRuntime {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn outputs(&self) -> Option<usize> {
        self.outputs
    }

    fn run(&self, input: &Encoding, alone: bool) -> Result<Array2<f32>, Failure> {
        let inputs = self
            .inputs
            .iter()
            .map(|slot| Ok((slot.name.as_str(), slot.tensor(input)?)))
            .collect::<ort::Result<Vec<_>>>()
            .map_err(Failure::from_source)?;
        let turn = self.running.enter();
        if alone && turn.only && self.info.threads > 1 {
            self.run_alone(inputs)
        } else {
            self.run_beside(inputs)
        }
    }
}

type Inputs<'n> = Vec<(&'n str, SessionInputValue<'static>)>;

impl OnnxRuntime {
    /// Runs on one thread, beside others.
    fn run_beside(&self, inputs: Inputs) -> Result<Array2<f32>, Failure> {
        let make = || self.source.session(1).map_err(Failure::from_source);
        self.sessions
            .with(make, |session| self.run_on(session, inputs))
    }

    /// Runs on several threads, once inputs have come alone often enough; on one if the session for
    /// that cannot be made, which is tried again after as many more.
    fn run_alone(&self, inputs: Inputs) -> Result<Array2<f32>, Failure> {
        let mut spread = self.spread.lock().unwrap_or_else(PoisonError::into_inner);
        spread.alone += 1;
        if spread.session.is_none() && spread.alone > PATIENCE {
            spread.alone = 0;
            spread.session = self
                .source
                .session(self.info.threads.min(MAX_SPREAD))
                .inspect_err(
                    |e| tracing::warn!(error = %e, "cannot make a session of several threads"),
                )
                .ok();
        }
        match &mut spread.session {
            Some(session) => self.run_on(session, inputs),
            None => self.run_beside(inputs),
        }
    }

    fn run_on(&self, session: &mut Session, inputs: Inputs) -> Result<Array2<f32>, Failure> {
        let outputs = session.run(inputs).map_err(Failure::from_source)?;
        let (shape, logits) = outputs[self.logits]
            .try_extract_tensor::<f32>()
            .map_err(Failure::from_source)?;
        let shape: Vec<usize> = shape.iter().map(|&n| n.try_into().unwrap_or(0)).collect();
        matrix(&shape, logits.to_vec())
    }
}
