//! The unigram model of SentencePiece (Kudo, 2018, "Subword regularization"), made for a fast start.
//!
//! It segments as `tokenizers` does, which keeps the pieces in a tree of hash maps: for 64,000 pieces
//! that takes 0.1 s to build and 45 MB. Here they lie sorted in one string, and those that begin a
//! text are found by narrowing the sorted range byte by byte.

use std::ops::Range;

use serde::Deserialize;
use tokenizers::{Result, Token};

/// What a character without a piece costs more than the least likely piece, as a logarithm.
const UNKNOWN_PENALTY: f64 = 10.0;

/// Pieces with the logarithms of their probabilities.
#[derive(Debug, Deserialize)]
#[serde(try_from = "UnigramFile")]
pub(super) struct Unigram {
    /// All pieces one after the other, in order.
    text: String,
    /// Where each piece ends in `text`.
    ends: Vec<u32>,
    scores: Vec<f64>,
    ids: Vec<u32>,
    /// The place among the sorted pieces of each id.
    places: Vec<u32>,
    /// The range of the pieces that begin with each byte.
    initials: Vec<Range<usize>>,
    unknown: Option<u32>,
    unknown_score: f64,
    byte_fallback: bool,
}

#[derive(Deserialize)]
struct UnigramFile {
    vocab: Vec<(String, f64)>,
    unk_id: Option<usize>,
    #[serde(default)]
    byte_fallback: bool,
}

impl TryFrom<UnigramFile> for Unigram {
    type Error = String;

    fn try_from(file: UnigramFile) -> std::result::Result<Self, String> {
        let count = file.vocab.len();
        let too_large = |_| "its vocabulary is too large".to_owned();
        u32::try_from(
            file.vocab
                .iter()
                .map(|(piece, _)| piece.len() + 1)
                .sum::<usize>(),
        )
        .map_err(too_large)?;
        if file.unk_id.is_some_and(|id| id >= count) {
            return Err("its `unk_id` is not in its vocabulary".to_owned());
        }
        let least = file
            .vocab
            .iter()
            .map(|&(_, score)| score)
            .fold(f64::INFINITY, f64::min);
        let mut order: Vec<u32> = (0..count as u32).collect();
        // Of pieces that are alike the last one counts, as in `tokenizers`.
        order.sort_by(|&a, &b| {
            let piece = |id: u32| file.vocab[id as usize].0.as_bytes();
            piece(a).cmp(piece(b)).then(b.cmp(&a))
        });
        let mut model = Self {
            text: String::new(),
            ends: Vec::with_capacity(count),
            scores: Vec::with_capacity(count),
            ids: Vec::with_capacity(count),
            places: vec![0; count],
            initials: Vec::with_capacity(256),
            unknown: file.unk_id.map(|id| id as u32),
            unknown_score: least - UNKNOWN_PENALTY,
            byte_fallback: file.byte_fallback,
        };
        for id in order {
            let (piece, score) = &file.vocab[id as usize];
            let known = model.ids.len();
            if known > 0 && model.at(known - 1) == piece.as_bytes() {
                model.places[id as usize] = known as u32 - 1;
                continue;
            }
            model.places[id as usize] = known as u32;
            model.text.push_str(piece);
            model.ends.push(model.text.len() as u32);
            model.scores.push(*score);
            model.ids.push(id);
        }
        let all = 0..model.ids.len();
        model.initials = (0..=u8::MAX)
            .map(|byte| model.narrowed(all.clone(), 0, byte))
            .collect();
        Ok(model)
    }
}

/// The best way to reach a place in the text.
#[derive(Clone, Copy)]
struct Step {
    from: usize,
    id: u32,
    score: f64,
}

/// Whether a way of this score beats the best one so far.
fn better(best: Option<Step>, score: f64) -> bool {
    best.is_none_or(|step| score > step.score)
}

impl Unigram {
    /// Number of ids.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The id of a piece.
    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        let mut range = 0..self.ids.len();
        for (depth, &byte) in piece.as_bytes().iter().enumerate() {
            range = self.narrowed(range, depth, byte);
        }
        self.exact(&range, piece.len()).map(|place| self.ids[place])
    }

    /// The piece with this id.
    pub(super) fn piece(&self, id: u32) -> Option<&str> {
        let place = *self.places.get(id as usize)? as usize;
        self.text.get(self.range(place))
    }

    /// The pieces with their ids.
    pub(super) fn vocabulary(&self) -> impl Iterator<Item = (String, u32)> {
        self.ids
            .iter()
            .enumerate()
            .map(|(place, &id)| (self.text[self.range(place)].to_owned(), id))
    }

    /// The likeliest segmentation of `text`. Neighbouring characters without a piece become one
    /// unknown token, or with byte fallback a token a byte.
    ///
    /// # Errors
    ///
    /// If a character needs the unknown token, and the model has none.
    pub(super) fn tokenize(&self, text: &str) -> Result<Vec<Token>> {
        let mut tokens = Vec::new();
        for (range, known) in self.segments(text)? {
            let piece = &text[range.clone()];
            let offsets = (range.start, range.end);
            match known.or_else(|| self.id(piece)) {
                Some(id) => tokens.push(Token::new(id, piece.to_owned(), offsets)),
                None => match self.bytes(piece) {
                    Some(bytes) => {
                        tokens.extend(
                            bytes
                                .into_iter()
                                .map(|(id, byte)| Token::new(id, byte, offsets)),
                        );
                    }
                    None => {
                        let id = self.unknown.ok_or(NO_UNKNOWN)?;
                        tokens.push(Token::new(id, piece.to_owned(), offsets));
                    }
                },
            }
        }
        Ok(tokens)
    }

    /// The ranges of the likeliest segmentation, with their ids where those are known.
    fn segments(&self, text: &str) -> Result<Vec<(Range<usize>, Option<u32>)>> {
        let mut steps: Vec<Option<Step>> = vec![None; text.len() + 1];
        for (start, first) in text.char_indices() {
            let so_far = steps[start].map_or(0.0, |step| step.score);
            let mut single = false;
            self.prefixes(&text.as_bytes()[start..], |length, place| {
                single |= length == first.len_utf8();
                let (end, score) = (start + length, so_far + self.scores[place]);
                if better(steps[end], score) {
                    let id = self.ids[place];
                    steps[end] = Some(Step {
                        from: start,
                        id,
                        score,
                    });
                }
            });
            let (end, score) = (start + first.len_utf8(), so_far + self.unknown_score);
            if !single && better(steps[end], score) {
                let id = self.unknown.ok_or(NO_UNKNOWN)?;
                steps[end] = Some(Step {
                    from: start,
                    id,
                    score,
                });
            }
        }
        let mut segments: Vec<(Range<usize>, Option<u32>)> = Vec::new();
        let mut end = text.len();
        while let Some(step) = steps[end] {
            let known = Some(step.id).filter(|_| Some(step.id) != self.unknown);
            match segments.last_mut() {
                Some((range, None)) if known.is_none() => range.start = step.from,
                _ => segments.push((step.from..end, known)),
            }
            end = step.from;
        }
        segments.reverse();
        Ok(segments)
    }

    /// Calls `found` with the length and the place of each piece that begins `text`, short ones first.
    fn prefixes(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        let Some(&first) = text.first() else { return };
        let mut range = self.initials[first as usize].clone();
        for depth in 1..=text.len() {
            if let Some(place) = self.exact(&range, depth) {
                found(depth, place);
                range.start += 1;
            }
            match text.get(depth) {
                Some(&byte) if !range.is_empty() => range = self.narrowed(range, depth, byte),
                _ => return,
            }
        }
    }

    /// The place of the piece of `length` bytes among those in `range`, which share that many.
    fn exact(&self, range: &Range<usize>, length: usize) -> Option<usize> {
        // It is the shortest, so it comes first.
        (!range.is_empty() && self.at(range.start).len() == length).then_some(range.start)
    }

    /// Of the pieces in `range`, which share their first `depth` bytes, those that go on with `byte`.
    fn narrowed(&self, range: Range<usize>, depth: usize, byte: u8) -> Range<usize> {
        let first = partition(range.clone(), |place| {
            self.at(place).get(depth) < Some(&byte)
        });
        let end = partition(first..range.end, |place| {
            self.at(place).get(depth) <= Some(&byte)
        });
        first..end
    }

    fn range(&self, place: usize) -> Range<usize> {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[place] as usize
    }

    fn at(&self, place: usize) -> &[u8] {
        &self.text.as_bytes()[self.range(place)]
    }

    /// A token for each byte of `text`, if the model is to fall back to bytes and has them all.
    fn bytes(&self, text: &str) -> Option<Vec<(u32, String)>> {
        let token = |byte: u8| {
            let name = format!("<0x{byte:02X}>");
            Some((self.id(&name)?, name))
        };
        self.byte_fallback
            .then(|| text.bytes().map(token).collect())
            .flatten()
    }
}

const NO_UNKNOWN: &str = "a character is in no piece of the vocabulary, which has no unknown token";

/// The first of `range` for which `before` is false.
fn partition(range: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::Model;

    use super::*;

    fn ours(vocab: &[(String, f64)], unk_id: Option<usize>, byte_fallback: bool) -> Unigram {
        let vocab = vocab.to_vec();
        Unigram::try_from(UnigramFile {
            vocab,
            unk_id,
            byte_fallback,
        })
        .unwrap()
    }

    fn theirs(
        vocab: &[(String, f64)],
        unk_id: Option<usize>,
        byte_fallback: bool,
    ) -> tokenizers::models::unigram::Unigram {
        tokenizers::models::unigram::Unigram::from(vocab.to_vec(), unk_id, byte_fallback).unwrap()
    }

    fn vocabulary() -> impl Strategy<Value = Vec<(String, f64)>> {
        let piece = ("[abà€▁]{1,4}", -20.0..0.0);
        prop::collection::vec(piece, 1..60).prop_map(|mut vocab| {
            vocab.insert(0, ("<unk>".to_owned(), 0.0));
            vocab
        })
    }

    proptest! {
        #[test]
        fn segments_as_the_reference_does(
            vocab in vocabulary(),
            bytes in any::<bool>(),
            unknown in any::<bool>(),
            text in "[abcà€▁😀]{0,30}(<unk>)?[ab]{0,3}",
        ) {
            let mut vocab = vocab;
            if bytes {
                vocab.extend((0..=255u8).map(|byte| (format!("<0x{byte:02X}>"), -30.0)));
            }
            let unknown = unknown.then_some(0);
            let (ours, theirs) = (ours(&vocab, unknown, bytes), theirs(&vocab, unknown, bytes));
            prop_assert_eq!(ours.tokenize(&text).ok(), theirs.tokenize(&text).ok());
            prop_assert_eq!(ours.len(), theirs.get_vocab_size());
            prop_assert_eq!(ours.vocabulary().collect::<std::collections::HashMap<_, _>>(), theirs.get_vocab());
            for (id, (piece, _)) in vocab.iter().enumerate() {
                prop_assert_eq!(ours.id(piece), theirs.token_to_id(piece));
                prop_assert_eq!(ours.piece(id as u32), Some(piece.as_str()));
            }
        }
    }

    #[test]
    fn a_model_without_an_unknown_token_says_so() {
        let model = ours(&[("a".to_owned(), -1.0)], None, false);
        assert_eq!(model.tokenize("aa").unwrap().len(), 2);
        assert_eq!(model.tokenize("ab").unwrap_err().to_string(), NO_UNKNOWN);
    }

    #[test]
    fn an_unknown_id_outside_the_vocabulary_is_refused() {
        let file = r#"{"type": "Unigram", "unk_id": 1, "vocab": [["a", 0.0]]}"#;
        let error = serde_json::from_str::<Unigram>(file).unwrap_err();
        assert!(error.to_string().contains("unk_id"), "{error}");
    }
}
