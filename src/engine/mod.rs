//! From token ids to logits.
//!
//! The only room that names an inference runtime. Engines differ in what they need and in speed,
//! not in what they give: one input goes in, unpadded, and a row of logits a token comes out.

#[cfg(test)]
pub(crate) mod fake;
#[cfg(feature = "ort")]
pub(crate) mod onnxruntime;
#[cfg(feature = "rten")]
mod rten;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
#[cfg(any(feature = "ort", feature = "rten"))]
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::Array2;

use crate::Error;
use crate::error::BoxError;
use crate::model::Graph;
use crate::tokens::Encoding;

/// Which engine runs the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Runtime {
    /// ONNX Runtime if its shared library is found, otherwise rten.
    #[default]
    Auto,
    /// ONNX Runtime, from a shared library that is found at run time.
    OnnxRuntime,
    /// rten, written in Rust and part of the binary.
    Rten,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Runtime::Auto => "the automatic choice of engine",
            Runtime::OnnxRuntime => "ONNX Runtime",
            Runtime::Rten => "rten",
        })
    }
}

/// Reads `auto`, `ort` (or `onnxruntime`) and `rten`, as command lines want it.
///
/// ```
/// use nerite::Runtime;
///
/// assert_eq!("ort".parse::<Runtime>()?, Runtime::OnnxRuntime);
/// assert!("cuda".parse::<Runtime>().is_err());
/// # Ok::<(), nerite::Error>(())
/// ```
impl FromStr for Runtime {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        match name {
            "auto" => Ok(Runtime::Auto),
            "ort" | "onnxruntime" => Ok(Runtime::OnnxRuntime),
            "rten" => Ok(Runtime::Rten),
            _ => Err(Error::InvalidOption {
                option: "runtime",
                value: format!("`{name}`"),
                problem: "give `auto`, `ort` or `rten`".to_owned(),
            }),
        }
    }
}

/// The engine that a recognizer runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineInfo {
    /// The engine; never [`Runtime::Auto`].
    pub runtime: Runtime,
    /// The shared library that it was loaded from, where there is one and it is known.
    pub library: Option<PathBuf>,
    /// Windows that it runs at the same time, each on one thread; a text of one window that comes alone
    /// is spread over several.
    pub threads: usize,
}

impl fmt::Display for EngineInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.runtime)?;
        if let Some(library) = &self.library {
            write!(f, " ({})", library.display())?;
        }
        let plural = if self.threads == 1 { "" } else { "s" };
        write!(f, ", {} thread{plural}", self.threads)
    }
}

/// Runs a model. Calls from several threads run at the same time, up to the number of threads that
/// the engine was made for; further ones wait.
pub(crate) trait Engine: Send + Sync {
    fn info(&self) -> &EngineInfo;

    /// Logits a token, if the graph tells without being run.
    fn outputs(&self) -> Option<usize>;

    /// The logits of one input: a row a token, special tokens included. An input that is `alone`, the
    /// only one of its call, may be spread over several threads if no other call is running.
    fn run(&self, input: &Encoding, alone: bool) -> Result<Array2<f32>, Failure>;
}

/// At most so many threads share one input: its matrices are small, and threads that find nothing to
/// do wait in a loop.
#[cfg(any(feature = "ort", feature = "rten"))]
const MAX_SPREAD: usize = 4;

/// Inputs that are waiting for an engine or running on it.
#[cfg(any(feature = "ort", feature = "rten"))]
#[derive(Default)]
struct Running(AtomicUsize);

/// One of the inputs of a [`Running`], until it is dropped.
#[cfg(any(feature = "ort", feature = "rten"))]
struct Turn<'r> {
    running: &'r Running,
    /// Whether there was no other when this one came.
    only: bool,
}

#[cfg(any(feature = "ort", feature = "rten"))]
impl Running {
    fn enter(&self) -> Turn<'_> {
        let others = self.0.fetch_add(1, Ordering::Relaxed);
        Turn {
            running: self,
            only: others == 0,
        }
    }
}

#[cfg(any(feature = "ort", feature = "rten"))]
impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.running.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a run failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub problem: String,
    pub source: Option<BoxError>,
}

impl Failure {
    fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            source: None,
        }
    }

    #[cfg(any(feature = "ort", feature = "rten"))]
    fn from_source(source: impl Into<BoxError>) -> Self {
        let source = source.into();
        Self {
            problem: source.to_string(),
            source: Some(source),
        }
    }
}

/// Runs `input`, and refuses logits that are not numbers or not one row a token.
#[inline(never)] // so that benches/instructions.rs finds it
pub(crate) fn run(
    engine: &dyn Engine,
    input: &Encoding,
    alone: bool,
) -> Result<Array2<f32>, Error> {
    let tokens = input.ids.len();
    let checked = engine.run(input, alone).and_then(|logits| {
        if logits.nrows() != tokens {
            let problem = format!("the model gave logits for {} tokens", logits.nrows());
            Err(Failure::new(problem))
        } else if !logits.iter().all(|logit| logit.is_finite()) {
            Err(Failure::new(
                "the model gave logits that are not finite numbers",
            ))
        } else {
            Ok(logits)
        }
    });
    checked.map_err(|failure| Error::Inference {
        runtime: engine.info().runtime,
        tokens,
        problem: failure.problem,
        source: failure.source,
    })
}

/// What to make an engine of.
pub(crate) struct Options {
    pub runtime: Runtime,
    pub threads: usize,
    /// ONNX Runtime's shared library, if the caller names one.
    #[cfg(feature = "ort")]
    pub library: Option<PathBuf>,
    /// The process's ONNX Runtime environment, if the caller has one.
    #[cfg(feature = "ort")]
    pub environment: Option<ort::environment::Environment>,
}

/// Makes the engine that `options` ask for.
pub(crate) fn load(graph: &Graph, options: &Options) -> Result<Box<dyn Engine>, Error> {
    match options.runtime {
        Runtime::OnnxRuntime => load_onnxruntime(graph, options),
        Runtime::Rten => load_rten(graph, options),
        Runtime::Auto => match load_onnxruntime(graph, options) {
            Err(Error::RuntimeUnavailable {
                problem, source, ..
            }) if cfg!(feature = "rten") => {
                tracing::debug!(problem, ?source, "no ONNX Runtime; running on rten");
                load_rten(graph, options)
            }
            result => result,
        },
    }
}

#[cfg(feature = "ort")]
fn load_onnxruntime(graph: &Graph, options: &Options) -> Result<Box<dyn Engine>, Error> {
    Ok(Box::new(onnxruntime::OnnxRuntime::load(graph, options)?))
}

#[cfg(not(feature = "ort"))]
fn load_onnxruntime(_: &Graph, _: &Options) -> Result<Box<dyn Engine>, Error> {
    Err(left_out(Runtime::OnnxRuntime, "ort"))
}

#[cfg(feature = "rten")]
fn load_rten(graph: &Graph, options: &Options) -> Result<Box<dyn Engine>, Error> {
    Ok(Box::new(rten::Rten::load(graph, options.threads)?))
}

#[cfg(not(feature = "rten"))]
fn load_rten(_: &Graph, _: &Options) -> Result<Box<dyn Engine>, Error> {
    Err(left_out(Runtime::Rten, "rten"))
}

#[cfg(not(all(feature = "ort", feature = "rten")))]
fn left_out(runtime: Runtime, feature: &str) -> Error {
    Error::RuntimeUnavailable {
        runtime,
        problem: format!("nerite was built without the feature `{feature}`"),
        source: None,
    }
}

/// The inputs of token-classification models that can be made of token ids.
#[cfg(any(feature = "ort", feature = "rten"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Ids,
    AttentionMask,
    TypeIds,
}

#[cfg(any(feature = "ort", feature = "rten"))]
impl Input {
    /// The input called `name`, or an error that names the graph.
    fn named(name: &str, graph: &Graph) -> Result<Self, Error> {
        match name {
            "input_ids" => Ok(Input::Ids),
            "attention_mask" => Ok(Input::AttentionMask),
            "token_type_ids" => Ok(Input::TypeIds),
            _ => Err(graph.invalid(
                format!(
                    "it wants an input `{name}`; export the model for token classification with \
                     `input_ids`, `attention_mask` and, at most, `token_type_ids`"
                ),
                None,
            )),
        }
    }

    /// What to feed this input.
    fn values<T: TryFrom<i64> + Default>(self, encoding: &Encoding) -> Vec<T> {
        let convert = |&id: &i64| T::try_from(id).unwrap_or_default();
        match self {
            Input::Ids => encoding.ids.iter().map(convert).collect(),
            Input::AttentionMask => encoding.ids.iter().map(|_| convert(&1)).collect(),
            Input::TypeIds => encoding.type_ids.iter().map(convert).collect(),
        }
    }
}

/// Which output of `names` holds the logits: the one so called, or the first.
#[cfg(any(feature = "ort", feature = "rten"))]
fn logits_output<'n>(mut names: impl Iterator<Item = &'n str>) -> usize {
    names.position(|name| name == "logits").unwrap_or(0)
}

/// Logits `[1, tokens, labels]` as a matrix.
#[cfg(any(feature = "ort", feature = "rten"))]
fn matrix(shape: &[usize], logits: Vec<f32>) -> Result<Array2<f32>, Failure> {
    match *shape {
        [1, tokens, labels] => Ok(Array2::from_shape_vec((tokens, labels), logits)
            .expect("the runtime gives as many values as its shape says")),
        _ => Err(Failure::new(format!(
            "the model's output has the shape {shape:?} instead of [1, tokens, labels]"
        ))),
    }
}

#[cfg(any(feature = "ort", feature = "rten"))]
impl Graph {
    fn invalid(&self, problem: impl Into<String>, source: Option<BoxError>) -> Error {
        Error::ModelFileInvalid {
            path: self.path.clone(),
            problem: problem.into(),
            source,
        }
    }

    fn unreadable(&self, source: impl Into<BoxError>) -> Error {
        let problem = "it is not a whole ONNX model that this engine can run; \
                       download or export it again, or try the other engine";
        self.invalid(problem, Some(source.into()))
    }
}

#[cfg(all(test, any(feature = "ort", feature = "rten")))]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_the_only_one_until_another_comes_and_after_it_has_gone() {
        let running = Running::default();
        let first = running.enter();
        assert!(first.only);
        assert!(!running.enter().only);
        drop(first);
        assert!(running.enter().only);
    }
}
