//! The choice of a model and of how to run it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::{panic, thread};

use super::{LongText, Pipeline, Recognizer};
use crate::decode::{AggregationStrategy, Decoder, TagScheme, Tags};
use crate::engine::{self, Engine, Runtime};
use crate::entity::Label;
use crate::error::Error;
use crate::language::Supported;
use crate::model::ModelFiles;
use crate::tokens::{Encoder, Unit};

/// Options of a [`Recognizer`]; each has a default that serves most.
///
/// ```
/// use nerite::{LongText, Recognizer, Runtime};
///
/// let recognizer = Recognizer::builder()
///     .runtime(Runtime::Auto)
///     .threads(2)
///     .min_score(0.5)
///     .long_text(LongText::Split)
///     .build()?;
/// println!("running on {}", recognizer.engine());
/// # Ok::<(), nerite::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct RecognizerBuilder {
    model_dir: Option<PathBuf>,
    runtime: Runtime,
    #[cfg(feature = "ort")]
    library: Option<PathBuf>,
    #[cfg(feature = "ort")]
    environment: Option<ort::environment::Environment>,
    threads: Option<usize>,
    labels: Option<Vec<Label>>,
    min_score: f32,
    strategy: AggregationStrategy,
    scheme: Option<TagScheme>,
    long_text: LongText,
}

impl RecognizerBuilder {
    /// Takes the model in this directory instead of the embedded one.
    ///
    /// The directory has the Hugging Face layout: `config.json` with `id2label`, `tokenizer.json`,
    /// and `model.onnx` there or under `onnx/` (or, failing that, `model_quantized.onnx`). Any
    /// exported token-classification model does whose inputs are `input_ids`, `attention_mask` and,
    /// if it likes, `token_type_ids`. Two keys of
    /// `config.json` are nerite's own: `languages`, a list, limits the languages, and
    /// `calibration_temperature`, a number, divides the logits.
    pub fn model_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.model_dir = Some(dir.into());
        self
    }

    /// Chooses the engine; the default is [`Runtime::Auto`].
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = runtime;
        self
    }

    /// Loads ONNX Runtime from this shared library alone.
    ///
    /// Without it, these are tried: the environment variable `ORT_DYLIB_PATH`, the folder of the
    /// executable, the system's loader, and the `onnxruntime` packages of the Python installations
    /// on the `PATH`. A process can load one library only: once one is loaded, `build` refuses
    /// another.
    #[cfg(feature = "ort")]
    pub fn onnxruntime_library(mut self, path: impl Into<PathBuf>) -> Self {
        self.library = Some(path.into());
        self
    }

    /// Runs in the `ort` environment of the host program.
    ///
    /// ONNX Runtime allows one environment a process. A program that uses `ort` itself makes it and
    /// passes it here; otherwise nerite makes one and keeps it.
    #[cfg(feature = "ort")]
    pub fn with_environment(mut self, environment: &ort::environment::Environment) -> Self {
        self.environment = Some(environment.clone());
        self
    }

    /// Windows to run at the same time; by default as many as the process has cores.
    ///
    /// A text of one window that comes alone is spread over up to four of these threads, so that a
    /// sentence takes less time (`benches/rivals/compare.py` compares one thread and two). ONNX Runtime
    /// does so after the first few, with a session of its own, which takes as much memory as the model
    /// again; with one thread there is none.
    ///
    /// The number changes the speed and the memory, and never the entities.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Keeps entities of these types only; by default all are kept.
    pub fn labels(mut self, labels: impl IntoIterator<Item = Label>) -> Self {
        self.labels = Some(labels.into_iter().collect());
        self
    }

    /// Drops entities whose score is lower than this, from 0 (the default) to 1.
    pub fn min_score(mut self, score: f32) -> Self {
        self.min_score = score;
        self
    }

    /// How the tokens of a word make up its label; the default is what most models are trained for.
    pub fn aggregation_strategy(mut self, strategy: AggregationStrategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Reads the model's labels by this scheme instead of the one that they show.
    pub fn tag_scheme(mut self, scheme: TagScheme) -> Self {
        self.scheme = Some(scheme);
        self
    }

    /// What to do with a text that is longer than what the model takes; it is split by default.
    pub fn long_text(mut self, policy: LongText) -> Self {
        self.long_text = policy;
        self
    }

    /// Loads the model.
    ///
    /// # Errors
    ///
    /// [`Error::ModelFileMissing`], [`Error::ModelFileInvalid`], [`Error::UnknownTagScheme`] and
    /// [`Error::LabelCountMismatch`] for the model's files, [`Error::RuntimeUnavailable`] if no
    /// engine can run, and [`Error::InvalidOption`] for a score, a label or a number of threads that
    /// makes no sense.
    pub fn build(self) -> Result<Recognizer, Error> {
        let files = self.files()?;
        let options = engine::Options {
            runtime: self.runtime,
            threads: self.thread_count()?,
            #[cfg(feature = "ort")]
            library: self.library.clone(),
            #[cfg(feature = "ort")]
            environment: self.environment.clone(),
        };
        // Side by side, since a large vocabulary can take as long to read as the graph.
        let encoder = || self.encoder(&files);
        let (encoder, engine) = thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, encoder);
            let engine = engine::load(&files.graph, &options);
            let encoder = match beside {
                Ok(thread) => thread.join().unwrap_or_else(|e| panic::resume_unwind(e)),
                Err(_) => encoder(),
            };
            (encoder, engine)
        });
        let engine = engine?;
        self.assemble(files, encoder?, engine)
    }

    fn files(&self) -> Result<ModelFiles, Error> {
        match &self.model_dir {
            Some(dir) => ModelFiles::from_dir(dir),
            #[cfg(feature = "embedded-model")]
            None => ModelFiles::embedded(),
            #[cfg(not(feature = "embedded-model"))]
            None => Err(Error::InvalidOption {
                option: "model_dir",
                value: "left out".to_owned(),
                problem: "nerite was built without the feature `embedded-model`".to_owned(),
            }),
        }
    }

    fn thread_count(&self) -> Result<usize, Error> {
        match self.threads {
            Some(0) => Err(invalid("threads", "0", "give at least one thread")),
            Some(threads) => Ok(threads),
            None => Ok(thread::available_parallelism().map_or(1, NonZeroUsize::get)),
        }
    }

    pub(super) fn encoder(&self, files: &ModelFiles) -> Result<Encoder, Error> {
        let unit = match self.strategy {
            AggregationStrategy::Simple => Unit::Token,
            _ => Unit::Word,
        };
        Encoder::from_bytes(&files.tokenizer, files.config.max_tokens, unit).map_err(|e| {
            let problem = "it is not a whole `tokenizer.json`; download it again";
            files.broken_tokenizer(problem, Some(e))
        })
    }

    /// Joins the rooms around an engine, and checks that the model's files belong together.
    pub(super) fn assemble(
        self,
        files: ModelFiles,
        encoder: Encoder,
        engine: Box<dyn Engine>,
    ) -> Result<Recognizer, Error> {
        let config = &files.config;
        let tags =
            Tags::new(&config.labels, self.scheme).map_err(|problem| Error::UnknownTagScheme {
                path: files.config_path.clone(),
                problem,
            })?;
        if let Some(known) = config
            .vocabulary_size
            .filter(|&size| size < encoder.vocabulary_size())
        {
            let problem = format!(
                "it has {} tokens, but the model knows {known}; \
                 take `tokenizer.json` and `config.json` from the same export",
                encoder.vocabulary_size()
            );
            return Err(files.broken_tokenizer(problem, None));
        }
        let outputs = match engine.outputs() {
            Some(outputs) => outputs,
            None => probe(engine.as_ref(), &encoder).map_err(|e| Error::ModelFileInvalid {
                path: files.graph.path.clone(),
                problem: "it fails on a first input; export the model again".to_owned(),
                source: Some(e.into()),
            })?,
        };
        if outputs != config.labels.len() {
            return Err(Error::LabelCountMismatch {
                path: files.config_path,
                labels: config.labels.len(),
                outputs,
            });
        }
        let threads = self.thread_count()?;
        let long_text = self.long_text;
        let decoder = self.decoder(tags, config.temperature)?;
        Ok(Recognizer {
            pipeline: Arc::new(Pipeline {
                languages: Supported::new(files.config.languages),
                encoder,
                engine,
                decoder,
                long_text,
                threads,
            }),
        })
    }

    fn decoder(self, tags: Tags, temperature: f32) -> Result<Decoder, Error> {
        if !(0.0..=1.0).contains(&self.min_score) {
            let value = self.min_score.to_string();
            return Err(invalid(
                "min_score",
                value,
                "give a probability from 0 to 1",
            ));
        }
        let unknown = self
            .labels
            .iter()
            .flatten()
            .find(|label| !tags.types().contains(label));
        if let Some(unknown) = unknown {
            let known: Vec<_> = tags.types().iter().map(Label::as_str).collect();
            let problem = format!("the model's labels are {}", known.join(", "));
            return Err(invalid("labels", format!("`{unknown}`"), problem));
        }
        Ok(Decoder {
            tags,
            strategy: self.strategy,
            temperature,
            labels: self.labels,
            min_score: self.min_score,
        })
    }
}

/// Runs the model on one token, to learn how many logits it gives.
fn probe(engine: &dyn Engine, encoder: &Encoder) -> Result<usize, Error> {
    let encoding = encoder
        .encode("a")
        .map_err(|source| Error::Tokenization {
            start: 0,
            end: 1,
            source,
        })?
        .swap_remove(0);
    Ok(engine::run(engine, &encoding, false)?.ncols())
}

fn invalid(option: &'static str, value: impl Into<String>, problem: impl Into<String>) -> Error {
    Error::InvalidOption {
        option,
        value: value.into(),
        problem: problem.into(),
    }
}
