//! Everything that can go wrong, typed.

use std::path::PathBuf;

use crate::language::{Language, join};

/// The error of a dependency, kept as the source of ours.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a model could not be loaded or a text could not be recognised.
///
/// Each message names the input that is at fault and what to do about it; the error of the library
/// below, where there is one, is the [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The language is not a well-formed BCP 47 tag, or names no language.
    #[error(
        "`{tag}` is not a language tag; give a BCP 47 tag such as `it`, `it-IT` or `ita`, or `auto`"
    )]
    InvalidLanguage {
        /// The tag as it was given.
        tag: String,
    },

    /// The model was not made for the language.
    #[error("this model does not know the language `{language}`; it knows {}", join(.supported))]
    UnsupportedLanguage {
        /// The language that was asked for.
        language: Language,
        /// The languages of the model, the first of them its main one.
        supported: Vec<Language>,
    },

    /// A file that a model directory needs is not there.
    #[error("`{path}` is missing: {remedy}")]
    ModelFileMissing {
        /// The file that was looked for.
        path: PathBuf,
        /// How to get it.
        remedy: &'static str,
    },

    /// A model file is there, but cannot be used.
    #[error("`{path}` cannot be used: {problem}")]
    ModelFileInvalid {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong with it and how to mend it.
        problem: String,
        /// What the reader of the file said.
        source: Option<BoxError>,
    },

    /// The labels of `id2label` follow no tag scheme that is known here.
    #[error(
        "the labels in `{path}` follow no known tag scheme: {problem}; \
         expected BIO, IOB1, BIOES, BILOU or plain types, with an `O`"
    )]
    UnknownTagScheme {
        /// The `config.json` that lists the labels.
        path: PathBuf,
        /// The label that does not fit, and why.
        problem: String,
    },

    /// `config.json` lists another number of labels than the model puts out.
    #[error(
        "`{path}` lists {labels} labels, but the model puts out {outputs} a token; \
         take `config.json` and `model.onnx` from the same export"
    )]
    LabelCountMismatch {
        /// The `config.json` that lists the labels.
        path: PathBuf,
        /// Entries of `id2label`.
        labels: usize,
        /// Logits a token.
        outputs: usize,
    },

    /// No engine can run here.
    #[error("{runtime} cannot run: {problem}")]
    RuntimeUnavailable {
        /// The engine that was asked for.
        runtime: crate::Runtime,
        /// What was tried, and how to get the engine.
        problem: String,
        /// What the last attempt said.
        source: Option<BoxError>,
    },

    /// An option of the builder has a value that makes no sense.
    #[error("the option `{option}` cannot be {value}: {problem}")]
    InvalidOption {
        /// The builder's method.
        option: &'static str,
        /// The value that it was given.
        value: String,
        /// What it takes.
        problem: String,
    },

    /// The text does not fit into one window, and [`LongText::Reject`](crate::LongText::Reject)
    /// was asked for.
    #[error(
        "the text of {bytes} bytes does not fit into the {max_tokens} tokens that the model takes \
         at once; shorten it or allow `LongText::Split`"
    )]
    TextTooLong {
        /// Length of the text.
        bytes: usize,
        /// Tokens that the model takes at once, special tokens included.
        max_tokens: usize,
    },

    /// The tokenizer failed on a piece of text.
    #[error("the tokenizer failed on the text at bytes {start}..{end}")]
    Tokenization {
        /// First byte of the piece.
        start: usize,
        /// Byte after the last of the piece.
        end: usize,
        /// What the tokenizer said.
        source: BoxError,
    },

    /// The engine failed while it ran the model.
    #[error("{runtime} failed on a window of {tokens} tokens: {problem}")]
    Inference {
        /// The engine.
        runtime: crate::Runtime,
        /// Tokens in the window, special tokens included.
        tokens: usize,
        /// What went wrong.
        problem: String,
        /// What the engine said.
        source: Option<BoxError>,
    },
}
