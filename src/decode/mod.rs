//! From logits to entities.
//!
//! This room knows tag schemes, probabilities and the boundary rules of languages; it does not know
//! where the logits come from.

mod boundaries;
mod lattice;
mod scheme;
mod words;

use std::ops::Range;

use ndarray::ArrayView2;

use crate::entity::{Entity, Label, Span};
use crate::language::Language;
use crate::tokens::Encoding;

pub use scheme::TagScheme;
pub(crate) use scheme::Tags;
pub use words::AggregationStrategy;

/// Turns the logits of one input into entities.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    pub tags: Tags,
    pub strategy: AggregationStrategy,
    /// What logits are divided by; changes scores, and with [`AggregationStrategy::First`] no entity.
    pub temperature: f32,
    /// The labels to keep; all of them if there is no list.
    pub labels: Option<Vec<Label>>,
    /// Entities with a lower score are dropped.
    pub min_score: f32,
}

impl Decoder {
    /// The entities of one input that begin in `owned`, as bytes of `text`.
    ///
    /// `text` is the whole text, `window` the part of it that was encoded; `logits` has a row a
    /// token, all of them finite.
    #[inline(never)] // so that benches/instructions.rs finds it
    pub(crate) fn decode(
        &self,
        logits: ArrayView2<f32>,
        encoding: &Encoding,
        text: &str,
        window: Range<usize>,
        owned: Range<usize>,
        lang: Language,
    ) -> Vec<Entity> {
        let words = &encoding.words;
        let logits = logits.mapv(|logit| logit / self.temperature);
        let probabilities = words::probabilities(logits.view(), words, self.strategy, &self.tags);
        let in_text = |word: usize| {
            let range = &words[word].range;
            window.start + range.start..window.start + range.end
        };
        let mut entities: Vec<Entity> = Vec::new();
        for chunk in lattice::chunks(probabilities.view(), &self.tags) {
            let label = &self.tags.types()[chunk.entity_type];
            let (first, last) = (in_text(chunk.words.start), in_text(chunk.words.end - 1));
            let wanted = self
                .labels
                .as_ref()
                .is_none_or(|labels| labels.contains(label));
            if !wanted || chunk.score < self.min_score || !owned.contains(&first.start) {
                continue;
            }
            let range = boundaries::whole_graphemes(text, first.start..last.end);
            let range = boundaries::trim(text, range, last.start, label, lang);
            let taken = entities.last().map_or(0, |entity| entity.span.end);
            if !range.is_empty() && range.start >= taken {
                entities.push(Entity {
                    span: Span::new(range.start, range.end),
                    label: label.clone(),
                    text: text[range].to_owned(),
                    score: chunk.score,
                });
            }
        }
        entities
    }
}
