//! Where a model comes from: the one in the binary, or a directory in Hugging Face layout.

mod config;

use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::error::BoxError;
pub(crate) use config::Config;

/// The files of a model, read but for the graph.
#[derive(Debug)]
pub(crate) struct ModelFiles {
    pub config: Config,
    /// Where `config.json` is, for messages.
    pub config_path: PathBuf,
    /// The content of `tokenizer.json`.
    pub tokenizer: Cow<'static, [u8]>,
    /// Where `tokenizer.json` is, for messages.
    pub tokenizer_path: PathBuf,
    pub graph: Graph,
}

/// An ONNX graph.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// Where it is; for an embedded one, a name for messages.
    pub path: PathBuf,
    /// Its content, if it is embedded.
    pub embedded: Option<&'static [u8]>,
}

/// Where the graph may be in a model's directory; the first that is there is taken.
const GRAPHS: [&str; 4] = [
    "model.onnx",
    "onnx/model.onnx",
    "model_quantized.onnx",
    "onnx/model_quantized.onnx",
];

impl ModelFiles {
    /// The model that is part of the binary.
    #[cfg(feature = "embedded-model")]
    pub(crate) fn embedded() -> Result<Self, Error> {
        macro_rules! file {
            ($name:literal) => {
                include_bytes!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/models/nerite-small/",
                    $name
                ))
            };
        }
        let path = |name: &str| Path::new("<embedded model>").join(name);
        let config_path = path("config.json");
        Ok(Self {
            config: Config::parse(&config_path, file!("config.json"), None)?,
            config_path,
            tokenizer: Cow::Borrowed(file!("tokenizer.json")),
            tokenizer_path: path("tokenizer.json"),
            graph: Graph {
                path: path("model.onnx"),
                embedded: Some(file!("model.onnx")),
            },
        })
    }

    pub(crate) fn broken_tokenizer(
        &self,
        problem: impl Into<String>,
        source: Option<BoxError>,
    ) -> Error {
        Error::ModelFileInvalid {
            path: self.tokenizer_path.clone(),
            problem: problem.into(),
            source,
        }
    }

    /// The model in the directory `dir`.
    pub(crate) fn from_dir(dir: &Path) -> Result<Self, Error> {
        let config_path = dir.join("config.json");
        let tokenizer_path = dir.join("tokenizer.json");
        let config = read(
            &config_path,
            "give a directory with an exported token-classification model",
        )?;
        let tokenizer = read(
            &tokenizer_path,
            "save the fast tokenizer with `AutoTokenizer.from_pretrained(…).save_pretrained(…)`",
        )?;
        let tokenizer_config = match fs::read(dir.join("tokenizer_config.json")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(unreadable(&dir.join("tokenizer_config.json"), e));
            }
            content => content.ok(),
        };
        let graph = GRAPHS
            .iter()
            .map(|name| dir.join(name))
            .find(|path| path.is_file());
        let path = graph.ok_or_else(|| Error::ModelFileMissing {
            path: dir.join(GRAPHS[0]),
            remedy: "export the model to ONNX, as `model.onnx` there or under `onnx/`",
        })?;
        Ok(Self {
            config: Config::parse(&config_path, &config, tokenizer_config.as_deref())?,
            config_path,
            tokenizer: Cow::Owned(tokenizer),
            tokenizer_path,
            graph: Graph {
                path,
                embedded: None,
            },
        })
    }
}

fn read(path: &Path, remedy: &'static str) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Error::ModelFileMissing {
            path: path.to_owned(),
            remedy,
        },
        _ => unreadable(path, e),
    })
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::ModelFileInvalid {
        path: path.to_owned(),
        problem: "it cannot be read; check that it is a file and that you may read it".to_owned(),
        source: Some(source.into()),
    }
}
