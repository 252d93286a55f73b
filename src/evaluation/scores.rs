//! Precision, recall and F1 by exact span and by token.

use std::collections::BTreeMap;

use unicode_segmentation::UnicodeSegmentation;

use super::AnnotatedText;
use crate::entity::{Entity, Label, Span};

/// What was found, missed and made up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In the gold annotation and recognised.
    pub true_positives: usize,
    /// Recognised, but not in the gold annotation.
    pub false_positives: usize,
    /// In the gold annotation, but not recognised.
    pub false_negatives: usize,
}

impl Counts {
    /// Share of the recognised that is right, in percent; 0 if nothing was recognised.
    pub fn precision(&self) -> f64 {
        percent(
            self.true_positives,
            self.true_positives + self.false_positives,
        )
    }

    /// Share of the gold that was recognised, in percent; 0 if there is no gold.
    pub fn recall(&self) -> f64 {
        percent(
            self.true_positives,
            self.true_positives + self.false_negatives,
        )
    }

    /// Harmonic mean of precision and recall, in percent.
    pub fn f1(&self) -> f64 {
        let errors = self.false_positives + self.false_negatives;
        percent(2 * self.true_positives, 2 * self.true_positives + errors)
    }

    fn add(&mut self, gold: bool, recognized: bool) {
        match (gold, recognized) {
            (true, true) => self.true_positives += 1,
            (false, true) => self.false_positives += 1,
            (true, false) => self.false_negatives += 1,
            (false, false) => {}
        }
    }

    fn merge(self, other: Self) -> Self {
        Self {
            true_positives: self.true_positives + other.true_positives,
            false_positives: self.false_positives + other.false_positives,
            false_negatives: self.false_negatives + other.false_negatives,
        }
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        100.0 * part as f64 / whole as f64
    }
}

/// The counts of one type of entity, or of all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// Entities: right if start, end and label are.
    pub span: Counts,
    /// Words (by Unicode Standard Annex 29) inside entities: right if the label is.
    pub token: Counts,
}

/// Adds up scores over texts.
#[derive(Clone, Debug)]
pub struct Evaluation {
    labels: Vec<Label>,
    types: BTreeMap<Label, Scores>,
    bins: [Bin; BINS],
}

/// Recognised entities of about the same score.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    entities: usize,
    right: usize,
    score: f64,
}

/// Bins of equal width that [`Evaluation::calibration_error`] sorts scores into.
const BINS: usize = 10;

impl Evaluation {
    /// Scores entities of these types; gold and recognised ones of other types are passed over.
    pub fn new(labels: &[Label]) -> Self {
        Self {
            labels: labels.to_vec(),
            types: BTreeMap::new(),
            bins: [Bin::default(); BINS],
        }
    }

    /// Counts the entities that were recognised in `item.text`.
    pub fn add(&mut self, item: &AnnotatedText, recognized: &[Entity]) {
        let labels = std::mem::take(&mut self.labels);
        let scored = |(_, label): &(Span, &Label)| labels.contains(label);
        let gold: Vec<_> = item
            .entities
            .iter()
            .map(|(s, l)| (*s, l))
            .filter(scored)
            .collect();
        let found: Vec<_> = recognized
            .iter()
            .map(|e| (e.span, &e.label))
            .filter(scored)
            .collect();
        for &(span, label) in &gold {
            self.counts(label)
                .span
                .add(true, found.contains(&(span, label)));
        }
        for &(_, label) in found.iter().filter(|entity| !gold.contains(entity)) {
            self.counts(label).span.add(false, true);
        }
        for entity in recognized
            .iter()
            .filter(|entity| labels.contains(&entity.label))
        {
            let bin = (entity.score * BINS as f32) as usize;
            let bin = &mut self.bins[bin.min(BINS - 1)];
            bin.entities += 1;
            bin.right += usize::from(gold.contains(&(entity.span, &entity.label)));
            bin.score += f64::from(entity.score);
        }
        for (at, _) in item.text.unicode_word_indices() {
            let label_in = |entities: &[(Span, &Label)]| {
                entities
                    .iter()
                    .find(|(span, _)| span.range().contains(&at))
                    .map(|e| e.1.clone())
            };
            let (gold, found) = (label_in(&gold), label_in(&found));
            if let Some(label) = &gold {
                self.counts(label)
                    .token
                    .add(true, found.as_ref() == Some(label));
            }
            if let Some(label) = found.filter(|label| gold.as_ref() != Some(label)) {
                self.counts(&label).token.add(false, true);
            }
        }
        self.labels = labels;
    }

    fn counts(&mut self, label: &Label) -> &mut Scores {
        self.types.entry(label.clone()).or_default()
    }

    /// The scores of each type that occurred.
    pub fn types(&self) -> &BTreeMap<Label, Scores> {
        &self.types
    }

    /// The scores of all types together.
    pub fn micro(&self) -> Scores {
        self.types
            .values()
            .fold(Scores::default(), |sum, scores| Scores {
                span: sum.span.merge(scores.span),
                token: sum.token.merge(scores.token),
            })
    }

    /// How far scores are from the share of right entities among those with such a score, in percent:
    /// the expected calibration error over ten bins (Naeini et al., 2015, "Obtaining well calibrated
    /// probabilities using Bayesian binning"). 0 if nothing was recognised.
    pub fn calibration_error(&self) -> f64 {
        let entities: usize = self.bins.iter().map(|bin| bin.entities).sum();
        let gaps: f64 = self
            .bins
            .iter()
            .map(|bin| (bin.score - bin.right as f64).abs())
            .sum();
        if entities == 0 {
            0.0
        } else {
            100.0 * gaps / entities as f64
        }
    }

    /// Adds the counts of another evaluation.
    pub fn merge(&mut self, other: &Evaluation) {
        for (label, scores) in &other.types {
            let sum = self.counts(label);
            sum.span = sum.span.merge(scores.span);
            sum.token = sum.token.merge(scores.token);
        }
        for (sum, bin) in self.bins.iter_mut().zip(other.bins) {
            sum.entities += bin.entities;
            sum.right += bin.right;
            sum.score += bin.score;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::read_markup;

    /// Scores the markup of `found` against that of `gold`.
    fn score(gold: &str, found: &str, labels: &[Label]) -> Evaluation {
        let mut evaluation = Evaluation::new(labels);
        for (gold, found) in read_markup(gold)
            .unwrap()
            .iter()
            .zip(read_markup(found).unwrap())
        {
            let entities: Vec<_> = found
                .entities
                .into_iter()
                .map(|(span, label)| Entity {
                    text: found.text[span.range()].to_owned(),
                    span,
                    label,
                    score: 1.0,
                })
                .collect();
            evaluation.add(gold, &entities);
        }
        evaluation
    }

    #[test]
    fn spans_and_tokens_are_counted() {
        let labels = [Label::Per, Label::Org];
        let gold = "[[Tim Cook|PER]] di [[Apple|ORG]] a [[Roma|LOC]]\n[[Enel|ORG]]";
        let found = "[[Tim|PER]] Cook di [[Apple|PER]] a [[Roma|LOC]]\n[[Enel|ORG]]";
        let evaluation = score(gold, found, &labels);
        let counts = |true_positives, false_positives, false_negatives| Counts {
            true_positives,
            false_positives,
            false_negatives,
        };
        let types = evaluation.types();
        assert_eq!(types[&Label::Per].span, counts(0, 2, 1));
        assert_eq!(types[&Label::Per].token, counts(1, 1, 1));
        assert_eq!(types[&Label::Org].span, counts(1, 0, 1));
        assert!(!types.contains_key(&Label::Loc));
        let micro = evaluation.micro().span;
        assert_eq!(micro, counts(1, 2, 2));
        assert!((micro.f1() - 100.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn certain_entities_that_are_half_wrong_are_badly_calibrated() {
        let mut half = score("[[Enel|ORG]]", "[[Enel|ORG]]", &[Label::Org]);
        assert_eq!(half.calibration_error(), 0.0);
        half.merge(&score("Eni", "[[Eni|ORG]]", &[Label::Org]));
        assert_eq!(half.calibration_error(), 50.0);
    }

    #[test]
    fn nothing_scores_zero() {
        let empty = score("nulla", "nulla", &[Label::Per]);
        assert_eq!(empty.calibration_error(), 0.0);
        let empty = empty.micro();
        assert_eq!(
            (empty.span.precision(), empty.span.recall(), empty.span.f1()),
            (0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn evaluations_add_up() {
        let mut sum = score("[[Enel|ORG]]", "[[Enel|ORG]]", &[Label::Org]);
        sum.merge(&score("[[Eni|ORG]]", "Eni", &[Label::Org]));
        assert_eq!(sum.micro().span.recall(), 50.0);
        assert_eq!(sum.micro().span.precision(), 100.0);
    }
}
