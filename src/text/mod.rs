//! From a text to windows: the stretches of it that the model sees one at a time.
//!
//! This room knows Unicode and the sentence rules of languages, and nothing of models. Windows end
//! where sentences end and never cross a blank line, so that what stands in one paragraph cannot
//! change the entities of another.

mod sentences;

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::language::Language;

/// A stretch of the text that the model sees at once, in bytes of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// What the model sees.
    pub range: Range<usize>,
    /// Of entities that begin in here, this window has the say; it lies within `range`, and the
    /// `owned` ranges of a text's windows neither overlap nor leave out a visible character.
    pub owned: Range<usize>,
}

/// Sentences are packed into one window while they fit into this many characters: about 100 words
/// of Italian, 160 tokens. Longer windows cost more (attention is quadratic), shorter ones lose
/// context: F1 on `tests/corpus/it` is 81.9 with 250 characters, 83.0 with 600 and with 1,200.
const PACKED_CHARS: usize = 600;

/// A sentence longer than this many characters is cut: about 330 words of Italian, 510 tokens, the
/// most that common encoders take.
const SENTENCE_CHARS: usize = 2000;

/// The pieces of a cut sentence share this many characters, so that every name has context on both
/// sides in one of them.
const OVERLAP_CHARS: usize = 400;

/// The windows of `text`, in order, found as they are asked for.
///
/// Takes time linear in the text, and memory that does not depend on it.
pub(crate) fn windows(text: &str, lang: Language) -> impl Iterator<Item = Window> + '_ {
    sentences::blocks(text)
        .flat_map(move |block| pack(text, sentences::sentences(text, block, lang)))
}

/// Joins neighbouring sentences of one block into windows, and cuts those that are too long.
fn pack<'t>(
    text: &'t str,
    sentences: impl Iterator<Item = Range<usize>> + 't,
) -> impl Iterator<Item = Window> + 't {
    let mut sentences = sentences.peekable();
    std::iter::from_fn(move || {
        let mut range = sentences.next()?;
        let mut chars = text[range.clone()].chars().count();
        while let Some(next) = sentences.peek() {
            chars += text[range.end..next.end].chars().count();
            if chars > PACKED_CHARS {
                break;
            }
            range.end = next.end;
            sentences.next();
        }
        Some(range)
    })
    .flat_map(move |range| cut(text, range))
}

/// One window for a stretch of ordinary length; overlapping ones for a longer one.
fn cut(text: &str, range: Range<usize>) -> impl Iterator<Item = Window> + '_ {
    let mut next = Some((range.start, range.start));
    std::iter::from_fn(move || {
        let (start, owned_from) = next.take()?;
        let rest = &text[start..range.end];
        let length = match rest.char_indices().nth(SENTENCE_CHARS) {
            None => {
                return Some(Window {
                    range: start..range.end,
                    owned: owned_from..range.end,
                });
            }
            Some((limit, _)) => gap_before(rest, limit),
        };
        let overlap = rest[..length].char_indices().rev().nth(OVERLAP_CHARS - 1);
        let shared = overlap.map_or(length, |(at, _)| at);
        let next_start = start + gap_before(rest, shared);
        let owned_to = text
            .floor_char_boundary((next_start + start + length) / 2)
            .max(next_start);
        next = Some((next_start, owned_to));
        Some(Window {
            range: start..start + length,
            owned: owned_from..owned_to,
        })
    })
}

/// The best place to cut `text` at or before the byte `limit`: after white space if there is some
/// in the quarter before, otherwise between two characters as users see them.
fn gap_before(text: &str, limit: usize) -> usize {
    let from = text.floor_char_boundary(limit - limit / 4);
    let tail = &text[from..limit];
    let after_space = tail.char_indices().rev().find(|(_, c)| c.is_whitespace());
    let between_graphemes = || {
        tail.grapheme_indices(true)
            .next_back()
            .map(|(at, _)| from + at)
    };
    match after_space {
        Some((at, space)) => from + at + space.len_utf8(),
        None => between_graphemes().filter(|&at| at > from).unwrap_or(limit),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        windows(text, Language::ITALIAN)
            .map(|w| &text[w.range])
            .collect()
    }

    #[test]
    fn short_paragraphs_are_one_window_each() {
        let table: [(&str, &[&str]); 8] = [
            ("", &[]),
            (" \n\t\r\n ", &[]),
            ("Uno. Due. Tre.", &["Uno. Due. Tre."]),
            ("Titolo\n\nTesto qui.", &["Titolo", "Testo qui."]),
            ("Titolo\r\n\r\nTesto qui.\r\n", &["Titolo", "Testo qui."]),
            ("a\n \t \nb\u{2029}c", &["a", "b", "c"]),
            ("una riga\nche prosegue.", &["una riga\nche prosegue."]),
            ("\u{feff}Uno.", &["\u{feff}Uno."]),
        ];
        for (text, expected) in table {
            assert_eq!(texts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn windows_end_with_sentences() {
        let sentence = "La società ha presentato ieri a Milano il nuovo telefono. ";
        let text = sentence.repeat(40);
        let windows = texts(&text);
        assert!(windows.len() > 2);
        for window in windows {
            assert!(
                window.starts_with("La") && window.ends_with("telefono."),
                "{window}"
            );
            assert!(window.chars().count() <= PACKED_CHARS);
        }
    }

    #[test]
    fn an_endless_sentence_is_cut_between_words() {
        let text = "parola ".repeat(2000);
        let windows: Vec<_> = windows(&text, Language::ITALIAN).collect();
        assert!(windows.len() > 5);
        for pair in windows.windows(2) {
            let shared = &text[pair[1].range.start..pair[0].range.end];
            assert!(shared.chars().count() >= OVERLAP_CHARS / 2, "{shared:?}");
            assert!(shared.starts_with("parola"));
            assert!(pair[1].range.contains(&pair[0].owned.end));
        }
    }

    #[test]
    fn an_endless_word_is_cut_between_graphemes() {
        for unit in ["a", "e\u{301}", "👩‍🚀", "\u{301}", "\0", "漢"] {
            let text = unit.repeat(30_000 / unit.len());
            let windows: Vec<_> = windows(&text, Language::ITALIAN).collect();
            assert!(windows.len() > 1, "{unit:?}");
            if unit != "\u{301}" {
                assert!(
                    windows.iter().all(|w| w.range.start % unit.len() == 0),
                    "{unit:?}"
                );
            }
            covers(&text, &windows);
        }
    }

    /// The promise of `Window::owned`.
    fn covers(text: &str, windows: &[Window]) {
        let mut end = 0;
        for window in windows {
            assert!(
                window.range.start <= window.owned.start && window.owned.end <= window.range.end
            );
            assert!(text.get(window.range.clone()).is_some());
            assert!(text.get(window.owned.clone()).is_some());
            assert!(window.owned.start >= end, "{window:?} overlaps");
            assert!(
                text[end..window.owned.start]
                    .chars()
                    .all(char::is_whitespace),
                "{window:?}"
            );
            assert!(text[window.range.clone()].chars().count() <= SENTENCE_CHARS);
            end = window.owned.end;
        }
        assert!(text[end..].chars().all(char::is_whitespace));
    }

    proptest! {
        #[test]
        fn any_text_is_covered(text in "(\\PC|[ .!?\n\r\u{2029}\"«»a-zA-Z]){0,300}", times in 1usize..40) {
            let text = text.repeat(times);
            let windows: Vec<_> = windows(&text, Language::ITALIAN).collect();
            covers(&text, &windows);
        }

        #[test]
        fn a_blank_line_separates(left in "[a-z .A-Z\n]{0,200}", right in "[a-z .A-Z]{0,200}") {
            let alone: Vec<_> = windows(&right, Language::ITALIAN).map(|w| w.range).collect();
            let text = format!("{left}\n\n{right}");
            let shift = left.len() + 2;
            let together: Vec<_> = windows(&text, Language::ITALIAN)
                .map(|w| w.range)
                .skip_while(|range| range.start < shift)
                .map(|range| range.start - shift..range.end - shift)
                .collect();
            prop_assert_eq!(alone, together);
        }
    }
}
