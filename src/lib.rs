//! Multilingual named-entity recognition, Italian first.
//!
//! One call turns a text into entities with exact byte offsets, on an ONNX model that ships with
//! the crate:
//!
//! ```
//! let text = "La Commissione europea ha multato Apple per 500 milioni di euro.";
//! let entities = nerite::recognize(text, "it")?;
//!
//! let found: Vec<_> = entities.iter().map(|e| (e.label.as_str(), e.text.as_str())).collect();
//! assert_eq!(found, [
//!     ("ORG", "Commissione europea"),
//!     ("ORG", "Apple"),
//!     ("MONEY", "500 milioni di euro"),
//! ]);
//! # Ok::<(), nerite::Error>(())
//! ```
//!
//! # Overview
//!
//! - [`recognize`] uses the default model; a [`Recognizer`] is a model of your choice, loaded once
//!   and shared by all threads, with single texts, batches and streams.
//! - An [`Entity`] has a [`Label`], a [`Span`] of bytes, its text and a score.
//! - [`RecognizerBuilder`] loads any token-classification model that was exported to ONNX in Hugging
//!   Face layout, and chooses the [`Runtime`], the labels, the number of threads and more.
//! - [`evaluation`] scores recognised entities against annotated files.
//!
//! # How a text becomes entities
//!
//! The text is split into windows that end with sentences; `tokenizers` turns each into tokens; an
//! engine turns these into logits; the most likely sequence of labels that the model's tag scheme
//! allows becomes entities. Each window runs alone, unpadded and on one thread: **the same text
//! gives the same entities whatever the batch, the number of threads and the order.**
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `ort` | yes | ONNX Runtime, loaded at run time from a shared library if there is one |
//! | `rten` | yes | rten, an engine in pure Rust, used where there is no ONNX Runtime |
//! | `embedded-model` | yes | the default model, 40 MB in the binary |
//!
//! The library prints nothing; it reports what it does through `tracing`.

#![deny(missing_docs)]
#![forbid(unsafe_code)]
// The crate's documentation speaks of the default model.
#![cfg_attr(
    not(feature = "embedded-model"),
    allow(rustdoc::broken_intra_doc_links)
)]
// Without an engine there is nothing to load a model with.
#![cfg_attr(not(any(feature = "ort", feature = "rten")), allow(dead_code))]

mod decode;
mod engine;
mod entity;
mod error;
pub mod evaluation;
mod language;
mod model;
mod recognizer;
mod text;
mod tokens;

pub use decode::{AggregationStrategy, TagScheme};
pub use engine::{EngineInfo, Runtime};
pub use entity::{Entity, Label, Span};
pub use error::Error;
pub use language::Language;
#[cfg(feature = "embedded-model")]
pub use recognizer::recognize;
pub use recognizer::{LongText, Profile, Recognizer, RecognizerBuilder, Stream};

/// The README's code, run as tests.
#[cfg(all(doctest, feature = "embedded-model"))]
#[doc = include_str!("../README.md")]
struct Readme;
