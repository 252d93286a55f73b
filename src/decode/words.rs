//! From the logits of tokens to the tag probabilities of words.

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::scheme::Tags;
use crate::tokens::Word;

/// How the tokens of a word make up its label, by the names that Hugging Face pipelines use.
///
/// Whether a word begins an entity or continues one is always its first token's to say: of a word
/// that begins one, models label the other tokens as continuations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AggregationStrategy {
    /// Tokens are labelled one by one and joined only where their labels say so; an entity may
    /// begin or end inside a word.
    Simple,
    /// A word's label is its first token's: what most models, and the one that ships, are trained
    /// for.
    #[default]
    First,
    /// The probabilities of a word's types are the mean of its tokens'.
    Average,
    /// The probabilities of a word's types are those of the token that is surest of its type.
    Max,
}

/// The tag probabilities of each word: one row a word, one column a tag. Logits must be finite.
/// Under [`AggregationStrategy::Simple`] each "word" is a token already.
pub(super) fn probabilities(
    logits: ArrayView2<f32>,
    words: &[Word],
    strategy: AggregationStrategy,
    tags: &Tags,
) -> Array2<f32> {
    let mut rows = Array2::zeros((words.len(), logits.ncols()));
    for (word, mut row) in words.iter().zip(rows.rows_mut()) {
        let first = softmax(logits.row(word.tokens.start));
        let of_types = || {
            word.tokens
                .clone()
                .map(|token| type_probabilities(&softmax(logits.row(token)), tags))
        };
        let probabilities = match strategy {
            AggregationStrategy::Simple | AggregationStrategy::First => first,
            AggregationStrategy::Average => {
                let mut mean = vec![0.0; tags.types().len() + 1];
                for token in of_types() {
                    mean.iter_mut().zip(token).for_each(|(sum, p)| *sum += p);
                }
                mean.iter_mut()
                    .for_each(|sum| *sum /= word.tokens.len() as f32);
                shared_out(&mean, &first, tags)
            }
            AggregationStrategy::Max => {
                let surest = of_types().reduce(|a, b| if peak(&b) > peak(&a) { b } else { a });
                shared_out(&surest.expect("a word has a token"), &first, tags)
            }
        };
        row.assign(&ArrayView1::from(&probabilities));
    }
    rows
}

/// The probability of each type, and, last, of being outside.
fn type_probabilities(of_tags: &[f32], tags: &Tags) -> Vec<f32> {
    let outside = tags.types().len();
    let mut of_types = vec![0.0; outside + 1];
    for (tag, p) in of_tags.iter().enumerate() {
        of_types[tags.entity_type(tag).unwrap_or(outside)] += p;
    }
    of_types
}

/// Shares the probability of each type out to its tags, in the proportions of the first token.
fn shared_out(of_types: &[f32], first: &[f32], tags: &Tags) -> Vec<f32> {
    let of_first = type_probabilities(first, tags);
    let share = |(tag, p): (usize, &f32)| {
        let of_type = tags.entity_type(tag).unwrap_or(tags.types().len());
        of_types[of_type] * p / of_first[of_type].max(f32::MIN_POSITIVE)
    };
    first.iter().enumerate().map(share).collect()
}

fn peak(probabilities: &[f32]) -> f32 {
    probabilities.iter().copied().fold(0.0, f32::max)
}

fn softmax(logits: ArrayView1<f32>) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = logits.iter().map(|logit| (logit - highest).exp()).collect();
    let total: f32 = exponentials.iter().sum();
    exponentials.into_iter().map(|e| e / total).collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// The probabilities of a word of three tokens, by three strategies: the first leans to O, the
    /// second is sure to be inside an A, the third leans to the outside again.
    #[test]
    fn strategies_differ_as_their_names_say() {
        let labels = ["O", "B-A", "I-A"].map(str::to_owned);
        let tags = Tags::new(&labels, None).unwrap();
        let rows = [[0.5f32, 0.4, 0.1], [0.05, 0.05, 0.9], [0.6, 0.1, 0.3]];
        let logits = Array2::from_shape_fn((3, 3), |(token, tag)| rows[token][tag].ln());
        let words = [Word {
            range: 0..3,
            tokens: 0..3,
        }];
        let table = [
            (AggregationStrategy::First, [0.5, 0.4, 0.1]),
            (AggregationStrategy::Max, [0.05, 0.95 * 0.8, 0.95 * 0.2]),
            (
                AggregationStrategy::Average,
                [1.15 / 3.0, 1.85 / 3.0 * 0.8, 1.85 / 3.0 * 0.2],
            ),
        ];
        for (strategy, expected) in table {
            let found = probabilities(logits.view(), &words, strategy, &tags);
            for (p, expected) in found.iter().zip(expected) {
                assert!((p - expected).abs() < 1e-5, "{strategy:?} {found}");
            }
        }
    }

    #[test]
    fn softmax_takes_logits_of_any_size() {
        let table = [
            (array![1e30, -1e30], [1.0, 0.0]),
            (array![-3e38, -3e38], [0.5, 0.5]),
            (array![f32::MAX, f32::MIN], [1.0, 0.0]),
        ];
        for (logits, expected) in table {
            assert_eq!(softmax(logits.view()), expected, "{logits}");
        }
    }
}
