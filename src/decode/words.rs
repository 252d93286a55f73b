//! From the logits of tokens to the tag probabilities of words.

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::tokens::Word;

/// How the tokens of a word make up its label, by the names that Hugging Face pipelines use.
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
    /// A word's probabilities are the mean of its tokens'.
    Average,
    /// A word's probabilities are those of its surest token.
    Max,
}

/// One row a word, one column a tag. Logits must be finite. Under
/// [`AggregationStrategy::Simple`] each "word" is a token already.
pub(super) fn probabilities(
    logits: ArrayView2<f32>,
    words: &[Word],
    strategy: AggregationStrategy,
) -> Array2<f32> {
    let mut rows = Array2::zeros((words.len(), logits.ncols()));
    for (word, mut row) in words.iter().zip(rows.rows_mut()) {
        let tokens = || word.tokens.clone().map(|token| softmax(logits.row(token)));
        match strategy {
            AggregationStrategy::Simple | AggregationStrategy::First => {
                row.assign(&ArrayView1::from(&softmax(logits.row(word.tokens.start))));
            }
            AggregationStrategy::Average => {
                for token in tokens() {
                    row += &ArrayView1::from(&token);
                }
                row /= word.tokens.len() as f32;
            }
            AggregationStrategy::Max => {
                let surest = tokens().reduce(|best, next| if peak(&next) > peak(&best) { next } else { best });
                row.assign(&ArrayView1::from(&surest.expect("a word has a token")));
            }
        }
    }
    rows
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

    #[test]
    fn strategies_differ_as_their_names_say() {
        // A word of three tokens: the first leans to tag 0, the second is sure of tag 1.
        let logits = array![[1.0, 0.0], [0.0, 6.0], [2.0, 1.0]];
        let words = [Word { range: 0..3, tokens: 0..3 }];
        let tag_1 = |strategy| probabilities(logits.view(), &words, strategy)[[0, 1]];
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let table = [
            (AggregationStrategy::First, sigmoid(-1.0)),
            (AggregationStrategy::Max, sigmoid(6.0)),
            (AggregationStrategy::Average, (sigmoid(-1.0) * 2.0 + sigmoid(6.0)) / 3.0),
        ];
        for (strategy, expected) in table {
            assert!((tag_1(strategy) - expected).abs() < 1e-6, "{strategy:?}");
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
