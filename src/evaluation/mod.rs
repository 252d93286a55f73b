//! Scores of recognised entities against annotated texts.
//!
//! Reads texts with gold entities, in CoNLL files ([`read_conll`]) or with inline markup
//! ([`read_markup`]), and counts exact-span and token matches ([`Evaluation`]).
//!
//! ```
//! use nerite::evaluation::{Evaluation, read_markup};
//!
//! let recognizer = nerite::Recognizer::new()?;
//! let mut evaluation = Evaluation::new(recognizer.labels());
//! for item in read_markup("[[Enel|ORG]] apre una sede a [[Lecce|LOC]].")? {
//!     let entities = recognizer.recognize(&item.text, "it")?;
//!     evaluation.add(&item, &entities);
//! }
//! assert_eq!(evaluation.micro().span.f1(), 100.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod conll;
mod markup;
mod scores;

pub use conll::read_conll;
pub use markup::read_markup;
pub use scores::{Counts, Evaluation, Scores};

use crate::entity::{Label, Span};

/// A text with its gold entities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotatedText {
    /// The raw text, as a user would send it.
    pub text: String,
    /// The entities in it, in order, without overlap.
    pub entities: Vec<(Span, Label)>,
}

/// Why an annotated file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct FormatError {
    /// Number of the line at fault, from 1.
    pub line: usize,
    /// What is wrong with it, and what was expected.
    pub problem: String,
}
