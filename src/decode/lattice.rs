//! The best sequence of tags that a scheme allows, and how likely each of its entities is.
//!
//! Words are taken as independent but for the scheme's transitions, as in a linear-chain CRF whose
//! transition weights are one or nothing. The best path is Viterbi's; the probability of an entity
//! is its share of all allowed paths, by the forward-backward algorithm (Rabiner, 1989, "A tutorial
//! on hidden Markov models", sections III.A and III.B, with its scaling).

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::scheme::Tags;

/// No tag is impossible for a word, so that every sequence has an allowed path.
const FLOOR: f32 = 1e-9;

/// A run of words that are one entity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chunk {
    /// The words, as rows of the probabilities.
    pub words: Range<usize>,
    /// The type, as an index into [`Tags::types`].
    pub entity_type: usize,
    /// Probability of just this run with just this type.
    pub score: f32,
}

/// The entities on the best path through `probabilities`, one row a word and one column a tag.
pub(crate) fn chunks(probabilities: ArrayView2<f32>, tags: &Tags) -> Vec<Chunk> {
    if probabilities.nrows() == 0 {
        return Vec::new();
    }
    let emissions = probabilities.mapv(|p| p.max(FLOOR));
    let path = best_path(emissions.view(), tags);
    let runs = runs(&path, tags);
    if runs.is_empty() {
        return Vec::new();
    }
    let marginals = Marginals::new(emissions.view(), tags);
    runs.into_iter()
        .map(|(words, entity_type)| Chunk {
            score: marginals.of(words.clone(), &path, tags),
            words,
            entity_type,
        })
        .collect()
}

/// Viterbi's path: for each word its tag.
fn best_path(emissions: ArrayView2<f32>, tags: &Tags) -> Vec<usize> {
    let (words, width) = emissions.dim();
    let mut scores = Array2::from_elem((words, width), f32::NEG_INFINITY);
    let mut back = Array2::from_elem((words, width), 0usize);
    for tag in (0..width).filter(|&tag| tags.may_start(tag)) {
        scores[[0, tag]] = emissions[[0, tag]].ln();
    }
    for word in 1..words {
        for tag in 0..width {
            let best = best_of(tags.predecessors(tag).iter().copied(), scores.row(word - 1));
            if let Some((before, score)) = best {
                scores[[word, tag]] = score + emissions[[word, tag]].ln();
                back[[word, tag]] = before;
            }
        }
    }
    let ends = (0..width).filter(|&tag| tags.may_end(tag));
    let (mut tag, _) = best_of(ends, scores.row(words - 1)).expect("`O` may end every sequence");
    let mut path = vec![tag; words];
    for word in (1..words).rev() {
        tag = back[[word, tag]];
        path[word - 1] = tag;
    }
    path
}

/// The first of the highest scores.
fn best_of(tags: impl Iterator<Item = usize>, scores: ArrayView1<f32>) -> Option<(usize, f32)> {
    tags.map(|tag| (tag, scores[tag]))
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The entities on a path: their words and types.
fn runs(path: &[usize], tags: &Tags) -> Vec<(Range<usize>, usize)> {
    let mut runs: Vec<(Range<usize>, usize)> = Vec::new();
    for (word, &tag) in path.iter().enumerate() {
        let Some(entity_type) = tags.entity_type(tag) else {
            continue;
        };
        match runs.last_mut() {
            Some((run, _)) if run.end == word && tags.continues(path[word - 1], tag) => {
                run.end += 1;
            }
            _ => runs.push((word..word + 1, entity_type)),
        }
    }
    runs
}

/// Scaled forward and backward probabilities.
struct Marginals<'e> {
    emissions: ArrayView2<'e, f32>,
    /// Row `w` sums to one after division by `scale[w]`.
    forward: Array2<f32>,
    backward: Array2<f32>,
    scale: Vec<f32>,
}

impl<'e> Marginals<'e> {
    fn new(emissions: ArrayView2<'e, f32>, tags: &Tags) -> Self {
        let (words, width) = emissions.dim();
        let mut forward = Array2::<f32>::zeros((words, width));
        let mut scale = Vec::with_capacity(words);
        for word in 0..words {
            for tag in 0..width {
                let arriving = match word {
                    0 => f32::from(u8::from(tags.may_start(tag))),
                    _ => tags
                        .predecessors(tag)
                        .iter()
                        .map(|&b| forward[[word - 1, b]])
                        .sum(),
                };
                forward[[word, tag]] = arriving * emissions[[word, tag]];
            }
            let total = forward.row(word).sum();
            forward.row_mut(word).mapv_inplace(|f| f / total);
            scale.push(total);
        }
        let mut backward = Array2::<f32>::zeros((words, width));
        let last = words - 1;
        let ending: f32 = (0..width)
            .filter(|&tag| tags.may_end(tag))
            .map(|tag| forward[[last, tag]])
            .sum();
        for tag in (0..width).filter(|&tag| tags.may_end(tag)) {
            backward[[last, tag]] = 1.0 / ending;
        }
        for word in (0..last).rev() {
            for next in 0..width {
                let leaving =
                    emissions[[word + 1, next]] * backward[[word + 1, next]] / scale[word + 1];
                for &tag in tags.predecessors(next) {
                    backward[[word, tag]] += leaving;
                }
            }
        }
        Self {
            emissions,
            forward,
            backward,
            scale,
        }
    }

    /// Probability that the words of `run` carry their tags on `path`, and that the entity ends
    /// there.
    fn of(&self, run: Range<usize>, path: &[usize], tags: &Tags) -> f32 {
        let emitted = |word: usize| self.emissions[[word, path[word]]] / self.scale[word];
        let first = path[run.start];
        let arriving: f32 = match run.start {
            0 => 1.0,
            start => tags
                .predecessors(first)
                .iter()
                .filter(|&&before| !tags.continues(before, first))
                .map(|&before| self.forward[[start - 1, before]])
                .sum(),
        };
        let last = path[run.end - 1];
        let leaving: f32 = if run.end == path.len() {
            self.backward[[run.end - 1, last]]
        } else {
            (0..tags.len())
                .filter(|&next| tags.predecessors(next).contains(&last))
                .filter(|&next| !tags.continues(last, next))
                .map(|next| {
                    self.emissions[[run.end, next]] * self.backward[[run.end, next]]
                        / self.scale[run.end]
                })
                .sum()
        };
        let inside: f32 = run.map(emitted).product();
        (arriving * inside * leaving).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use proptest::prelude::*;

    use super::*;
    use crate::decode::scheme::TagScheme;

    fn tags(labels: &str, scheme: Option<TagScheme>) -> Tags {
        Tags::new(
            &labels.split(' ').map(str::to_owned).collect::<Vec<_>>(),
            scheme,
        )
        .unwrap()
    }

    /// Every path of `words` words that the scheme allows, with its probability.
    fn allowed_paths(probabilities: &Array2<f32>, tags: &Tags) -> Vec<(Vec<usize>, f64)> {
        let (words, width) = probabilities.dim();
        let mut paths: Vec<(Vec<usize>, f64)> = vec![(vec![], 1.0)];
        for word in 0..words {
            let mut longer = Vec::new();
            for (path, p) in &paths {
                for tag in 0..width {
                    let fits = match path.last() {
                        None => tags.may_start(tag),
                        Some(before) => tags.predecessors(tag).contains(before),
                    };
                    if fits {
                        let p = p * f64::from(probabilities[[word, tag]].max(FLOOR));
                        longer.push(([path.as_slice(), &[tag]].concat(), p));
                    }
                }
            }
            paths = longer;
        }
        paths.retain(|(path, _)| tags.may_end(path[words - 1]));
        paths
    }

    /// Chunks by trying every path.
    fn by_enumeration(probabilities: &Array2<f32>, tags: &Tags) -> Vec<Chunk> {
        let paths = allowed_paths(probabilities, tags);
        let total: f64 = paths.iter().map(|(_, p)| p).sum();
        let (best, _) = paths.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        runs(best, tags)
            .into_iter()
            .map(|run| {
                let sharing = paths.iter().filter(|(path, _)| {
                    path[run.0.clone()] == best[run.0.clone()] && runs(path, tags).contains(&run)
                });
                let score = sharing.map(|(_, p)| p).sum::<f64>() / total;
                Chunk {
                    words: run.0,
                    entity_type: run.1,
                    score: score as f32,
                }
            })
            .collect()
    }

    fn same(fast: &[Chunk], slow: &[Chunk]) -> bool {
        fast.len() == slow.len()
            && fast.iter().zip(slow).all(|(a, b)| {
                a.words == b.words
                    && a.entity_type == b.entity_type
                    && (a.score - b.score).abs() < 1e-3
            })
    }

    #[test]
    fn an_orphaned_inside_is_mended() {
        let tags = tags("O B-A I-A", None);
        let probabilities = array![[0.5, 0.1, 0.4], [0.1, 0.3, 0.6], [0.9, 0.05, 0.05]];
        let chunks = chunks(probabilities.view(), &tags);
        assert_eq!(chunks.len(), 1);
        assert_eq!(chunks[0].words, 1..2);
        assert!(chunks[0].score < 0.6);
    }

    #[test]
    fn certainty_scores_one() {
        let tags = tags("O B-A I-A B-B I-B", None);
        let probabilities = array![
            [0.0, 1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0, 0.0],
        ];
        let chunks = chunks(probabilities.view(), &tags);
        let words: Vec<_> = chunks
            .iter()
            .map(|c| (c.words.clone(), c.entity_type))
            .collect();
        assert_eq!(words, [(0..2, 0), (2..3, 0), (4..5, 1)]);
        assert!(chunks.iter().all(|c| c.score > 0.999));
    }

    #[test]
    fn even_an_impossible_row_is_survived() {
        let tags = tags("O B-A I-A", None);
        assert!(chunks(Array2::zeros((0, 3)).view(), &tags).is_empty());
        let forced_inside = array![[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]];
        for chunk in chunks(forced_inside.view(), &tags) {
            assert!((0.0..=1.0).contains(&chunk.score));
        }
    }

    proptest! {
        #[test]
        fn agrees_with_enumeration(
            words in 1usize..5,
            scheme in 0usize..5,
            noise in prop::collection::vec(0.001f32..1.0, 40),
        ) {
            let labels = [
                "O A B", "O B-A I-A B-B I-B", "O I-A B-A I-B", "O B-A I-A E-A S-A", "B-A O I-A",
            ][scheme];
            let tags = tags(labels, None);
            let width = tags.len();
            let mut probabilities = Array2::from_shape_fn((words, width), |(w, t)| noise[w * width + t]);
            for mut row in probabilities.rows_mut() {
                let total = row.sum();
                row.mapv_inplace(|p| p / total);
            }
            let fast = chunks(probabilities.view(), &tags);
            let slow = by_enumeration(&probabilities, &tags);
            prop_assert!(same(&fast, &slow), "{fast:?} {slow:?}");
        }
    }
}
