//! From a window to token ids, and to words that know their tokens.
//!
//! This room knows `tokenizers` and nothing else.

mod model;
mod unigram;

use std::ops::Range;

use crate::error::BoxError;
use model::Tokenizer;

/// What carries a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// The words of the tokenizer's pre-tokenizer.
    Word,
    /// Each token by itself.
    Token,
}

/// A word of a window, or under [`Unit::Token`] a single token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Where the word stands in the window's text, in bytes, without surrounding white space.
    pub range: Range<usize>,
    /// Its tokens' places in [`Encoding::ids`].
    pub tokens: Range<usize>,
}

/// One input of the model, special tokens included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoding {
    /// Token ids.
    pub ids: Vec<i64>,
    /// Segment ids, for models that take `token_type_ids`.
    pub type_ids: Vec<i64>,
    /// The words, in order of their first token.
    pub words: Vec<Word>,
    /// Of entities that begin in here, this input has the say; in bytes of the window's text.
    pub owned: Range<usize>,
}

/// Neighbouring inputs of one window share this part of the tokens that fit.
const OVERLAP: f32 = 0.25;

/// A `tokenizer.json`, bounded by the number of tokens that the model takes.
#[derive(Debug)]
pub(crate) struct Encoder {
    tokenizer: Tokenizer,
    max_tokens: usize,
    unit: Unit,
}

impl Encoder {
    /// Reads a `tokenizer.json`. Truncation and padding set in the file are switched off, since
    /// they would cut text silently, and special tokens spelt out in a text are taken as text.
    pub(crate) fn from_bytes(json: &[u8], max_tokens: usize, unit: Unit) -> Result<Self, BoxError> {
        let mut tokenizer: Tokenizer = serde_json::from_slice(json)?;
        tokenizer.with_truncation(None)?;
        tokenizer.with_padding(None);
        tokenizer.set_encode_special_tokens(true);
        Ok(Self {
            tokenizer,
            max_tokens,
            unit,
        })
    }

    /// Number of token ids, added tokens included.
    pub(crate) fn vocabulary_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The most tokens that one input may have, special tokens included.
    pub(crate) fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Encodes `text`: one input if it fits into the model, otherwise several that overlap.
    #[inline(never)] // so that benches/instructions.rs finds it
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<Encoding>, BoxError> {
        let whole = Whole::new(self.tokenizer.encode(text, true)?, text, self.unit);
        let room = self
            .max_tokens
            .saturating_sub(whole.special_tokens())
            .max(1);
        Ok(slices(whole.body.len(), room)
            .into_iter()
            .map(|slice| whole.slice(slice, text.len()))
            .collect())
    }
}

/// The encoding of a whole window, before it is cut to what the model takes.
struct Whole {
    encoding: tokenizers::Encoding,
    /// The tokens between the special ones that open and close an input.
    body: Range<usize>,
    words: Vec<Word>,
}

impl Whole {
    fn new(encoding: tokenizers::Encoding, text: &str, unit: Unit) -> Self {
        let special = encoding.get_special_tokens_mask();
        let start = special
            .iter()
            .position(|&s| s == 0)
            .unwrap_or(special.len());
        let end = special
            .iter()
            .rposition(|&s| s == 0)
            .map_or(start, |last| last + 1);
        let words = words(&encoding, start..end, text, unit);
        Self {
            encoding,
            body: start..end,
            words,
        }
    }

    fn special_tokens(&self) -> usize {
        self.encoding.len() - self.body.len()
    }

    /// The input that holds `slice.tokens` of the body, between the special tokens.
    fn slice(&self, slice: Slice, text_len: usize) -> Encoding {
        let shift = |at: usize| self.body.start + at;
        let tokens = shift(slice.tokens.start)..shift(slice.tokens.end);
        let around = |values: &[u32]| {
            let parts = [
                &values[..self.body.start],
                &values[tokens.clone()],
                &values[self.body.end..],
            ];
            parts.concat().into_iter().map(i64::from).collect()
        };
        let first_word_from = |token: usize| {
            self.words
                .partition_point(|word| word.tokens.start < shift(token))
        };
        let words =
            &self.words[first_word_from(slice.tokens.start)..first_word_from(slice.tokens.end)];
        let owned_from = |token: usize| {
            let word = self.words.get(first_word_from(token));
            word.map_or(text_len, |word| word.range.start)
        };
        let owned_start = if slice.owned.start == 0 {
            0
        } else {
            owned_from(slice.owned.start)
        };
        let owned_end = if slice.owned.end == self.body.len() {
            text_len
        } else {
            owned_from(slice.owned.end)
        };
        Encoding {
            ids: around(self.encoding.get_ids()),
            type_ids: around(self.encoding.get_type_ids()),
            words: words
                .iter()
                .map(|word| Word {
                    range: word.range.clone(),
                    tokens: word.tokens.start - slice.tokens.start
                        ..word.tokens.end.min(tokens.end) - slice.tokens.start,
                })
                .collect(),
            owned: owned_start..owned_end.max(owned_start),
        }
    }
}

/// A part of the body's tokens, and the part of that which it has the say over.
#[derive(Debug, PartialEq, Eq)]
struct Slice {
    tokens: Range<usize>,
    owned: Range<usize>,
}

/// Covers `tokens` tokens with slices of at most `room`, each overlapping the next.
fn slices(tokens: usize, room: usize) -> Vec<Slice> {
    let overlap = (room as f32 * OVERLAP) as usize;
    let step = room - overlap;
    let mut slices: Vec<Slice> = Vec::new();
    let mut start = 0;
    let mut owned_from = 0;
    loop {
        let end = (start + room).min(tokens);
        let last = end == tokens;
        let owned_to = if last { end } else { end - overlap.div_ceil(2) };
        slices.push(Slice {
            tokens: start..end,
            owned: owned_from..owned_to,
        });
        if last {
            return slices;
        }
        owned_from = owned_to;
        start += step;
    }
}

/// Groups the body's tokens into words: by the pre-tokenizer's word ids, and at white space, which
/// tokenizers without a pre-tokenizer leave inside their single "word". Tokens that stand for
/// nothing visible belong to no word.
fn words(encoding: &tokenizers::Encoding, body: Range<usize>, text: &str, unit: Unit) -> Vec<Word> {
    let word_ids = encoding.get_word_ids();
    let offsets = encoding.get_offsets();
    let mut words: Vec<Word> = Vec::new();
    let mut previous_id = None;
    for token in body {
        let range = visible(text, offsets[token]);
        if range.is_empty() {
            continue;
        }
        let same_word =
            unit == Unit::Word && word_ids[token].is_some() && word_ids[token] == previous_id;
        previous_id = word_ids[token];
        match words.last_mut() {
            Some(word) if same_word && !gap(text, word.range.end, range.start) => {
                word.range.end = word.range.end.max(range.end);
                word.tokens.end = token + 1;
            }
            _ => words.push(Word {
                range,
                tokens: token..token + 1,
            }),
        }
    }
    words
}

/// The byte range of a token, put onto character boundaries and without white space at its ends.
/// Byte-level tokens of one character each claim all of it.
fn visible(text: &str, (start, end): (usize, usize)) -> Range<usize> {
    let start = text.floor_char_boundary(start);
    let end = text.ceil_char_boundary(end).max(start);
    let token = &text[start..end];
    let start = start + (token.len() - token.trim_start().len());
    start..(start + token.trim().len())
}

/// Whether white space lies between the end of one token and the start of the next.
fn gap(text: &str, end: usize, start: usize) -> bool {
    text.get(end..start)
        .is_some_and(|between| between.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A whole-word tokenizer in the manner of BERT, made in memory.
    fn encoder(max_tokens: usize) -> Encoder {
        let json = serde_json::json!({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
                        "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": [
                {"id": 1, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false,
                 "normalized": false, "special": true},
                {"id": 2, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false,
                 "normalized": false, "special": true}],
            "normalizer": null,
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
            "decoder": null,
            "model": {"type": "WordLevel", "vocab": {"[UNK]": 3, "a": 4, "b": 5}, "unk_token": "[UNK]"}
        });
        Encoder::from_bytes(json.to_string().as_bytes(), max_tokens, Unit::Word).unwrap()
    }

    fn surfaces<'t>(encoding: &Encoding, text: &'t str) -> Vec<&'t str> {
        encoding
            .words
            .iter()
            .map(|w| &text[w.range.clone()])
            .collect()
    }

    #[test]
    fn truncation_and_padding_of_the_file_are_off() {
        let text = "a b a b a b a, b";
        let encodings = encoder(512).encode(text).unwrap();
        assert_eq!(encodings.len(), 1);
        assert_eq!(encodings[0].ids, [1, 4, 5, 4, 5, 4, 5, 4, 3, 5, 2]);
        assert_eq!(
            surfaces(&encodings[0], text),
            ["a", "b", "a", "b", "a", "b", "a", ",", "b"]
        );
        assert_eq!(encodings[0].owned, 0..text.len());
    }

    #[test]
    fn a_special_token_in_the_text_is_text() {
        let text = "a [SEP] b";
        let encodings = encoder(512).encode(text).unwrap();
        assert_eq!(encodings[0].ids, [1, 4, 3, 3, 3, 5, 2]);
        assert_eq!(surfaces(&encodings[0], text), ["a", "[", "SEP", "]", "b"]);
    }

    #[test]
    fn empty_texts_have_no_words() {
        for text in ["", "  ", "\n\t"] {
            let encodings = encoder(512).encode(text).unwrap();
            assert_eq!(encodings.len(), 1);
            assert!(encodings[0].words.is_empty());
        }
    }

    #[test]
    fn slices_overlap_and_share_out_the_tokens() {
        let slice = |tokens, owned| Slice { tokens, owned };
        let table = [
            (0, 8, vec![slice(0..0, 0..0)]),
            (8, 8, vec![slice(0..8, 0..8)]),
            (9, 8, vec![slice(0..8, 0..7), slice(6..9, 7..9)]),
            (
                20,
                8,
                vec![
                    slice(0..8, 0..7),
                    slice(6..14, 7..13),
                    slice(12..20, 13..20),
                ],
            ),
            (
                3,
                1,
                vec![slice(0..1, 0..1), slice(1..2, 1..2), slice(2..3, 2..3)],
            ),
        ];
        for (tokens, room, expected) in table {
            assert_eq!(
                slices(tokens, room),
                expected,
                "{tokens} tokens, room for {room}"
            );
        }
    }

    proptest! {
        #[test]
        fn each_word_is_owned_once_whatever_the_limit(
            words in prop::collection::vec("[ab,]{1,3}", 0..60),
            max_tokens in 3usize..40,
        ) {
            let text = words.join(" ");
            let whole = encoder(usize::MAX).encode(&text).unwrap();
            let cut = encoder(max_tokens).encode(&text).unwrap();
            let mut owned = Vec::new();
            for encoding in &cut {
                prop_assert!(encoding.ids.len() <= max_tokens);
                prop_assert_eq!(encoding.ids.len(), encoding.type_ids.len());
                for word in &encoding.words {
                    prop_assert!(word.tokens.end < encoding.ids.len());
                    if encoding.owned.contains(&word.range.start) {
                        owned.push(word.range.clone());
                    }
                }
            }
            let all: Vec<_> = whole[0].words.iter().map(|w| w.range.clone()).collect();
            prop_assert_eq!(owned, all);
        }
    }
}
