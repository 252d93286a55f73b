//! Blocks (paragraphs) and the sentences in them.
//!
//! Sentence ends are those of Unicode Standard Annex 29, less the ones after abbreviations and
//! inside hard-wrapped lines. They only decide where windows end: a wrong one costs context, never
//! an entity's offsets.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::language::Language;

/// The stretches of `text` between blank lines and paragraph separators, without the white space
/// around them.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut from = 0;
    std::iter::from_fn(move || {
        let mut block: Option<Range<usize>> = None;
        while from < text.len() {
            let line = line_at(text, from);
            from = line.end;
            let content = trimmed(text, line.clone());
            if !content.is_empty() {
                block = Some(block.map_or(content.start, |b| b.start)..content.end);
            }
            let ends_block = content.is_empty() || text[line].ends_with('\u{2029}');
            if ends_block && block.is_some() {
                break;
            }
        }
        block
    })
}

/// The line that begins at `from`, with its terminator.
fn line_at(text: &str, from: usize) -> Range<usize> {
    let rest = &text[from..];
    let terminator = rest.char_indices().find(|(_, c)| is_line_end(*c));
    let length = match terminator {
        Some((at, '\r')) if rest[at + 1..].starts_with('\n') => at + 2,
        Some((at, c)) => at + c.len_utf8(),
        None => rest.len(),
    };
    from..from + length
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// `range` without the white space at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let content = &text[range.clone()];
    let start = range.start + (content.len() - content.trim_start().len());
    start..start + content.trim().len()
}

/// The sentences of one block, without the white space between them.
pub(super) fn sentences(
    text: &str,
    block: Range<usize>,
    lang: Language,
) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut bounds = text[block.clone()]
        .split_sentence_bound_indices()
        .map(move |(at, sentence)| block.start + at..block.start + at + sentence.len())
        .peekable();
    std::iter::from_fn(move || {
        let mut range = bounds.next()?;
        while let Some(next) = bounds.peek() {
            if ends_sentence(&text[range.clone()], &text[next.clone()], lang) {
                break;
            }
            range.end = next.end;
            bounds.next();
        }
        Some(trimmed(text, range))
    })
    .filter(|range| !range.is_empty())
}

/// Whether a sentence really ends between `before` and `after`, neighbours by UAX 29.
fn ends_sentence(before: &str, after: &str, lang: Language) -> bool {
    let wrapped = before.ends_with(is_line_end);
    let goes_on = after
        .chars()
        .find(|c| c.is_alphanumeric())
        .is_some_and(char::is_lowercase);
    if wrapped && goes_on {
        return false;
    }
    let Some(without_stop) = before.trim_end().strip_suffix('.') else {
        return true;
    };
    let word_start = without_stop
        .rfind(|c: char| !c.is_alphanumeric())
        .map_or(0, |at| {
            at + without_stop[at..].chars().next().map_or(0, char::len_utf8)
        });
    let word = &without_stop[word_start..];
    !(is_initial(word) || is_abbreviation(word, lang))
}

/// The `J` of `J. R. R. Tolkien`.
fn is_initial(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(char::is_uppercase) && chars.next().is_none()
}

/// Abbreviations that stand before what they belong to, so that a sentence cannot end with them.
fn is_abbreviation(word: &str, lang: Language) -> bool {
    let language: &[&str] = match lang.as_str() {
        "it" => &[
            "sig", "sigg", "dott", "prof", "avv", "ing", "arch", "geom", "rag", "on", "sen",
            "mons", "gen", "col", "cap", "ten", "mar", "art", "artt", "cfr", "pag", "pagg", "fig",
            "tab", "vol", "cap", "ss", "num", "tel",
        ],
        "en" => &[
            "mr", "mrs", "ms", "dr", "prof", "gen", "col", "capt", "lt", "sgt", "sen", "rep",
            "gov", "rev", "hon", "st", "mt", "no", "fig", "vol", "pp", "vs",
        ],
        "de" => &[
            "dr", "prof", "hr", "fr", "st", "nr", "abs", "art", "bzw", "ca", "vgl", "bd", "s",
            "dipl", "ing", "gen",
        ],
        "fr" => &[
            "mm", "mme", "mlle", "dr", "pr", "me", "st", "ste", "art", "cf", "fig", "vol",
        ],
        "es" | "pt" => &[
            "sr", "sra", "srta", "dr", "dra", "prof", "ing", "gral", "art", "arts", "fig", "núm",
            "pág", "págs", "vol", "ee", "eng", "exmo",
        ],
        "nl" => &[
            "dhr", "mevr", "mw", "dr", "drs", "ir", "ing", "mr", "prof", "art", "nr", "st",
        ],
        "pl" => &[
            "dr", "prof", "inż", "mgr", "ks", "gen", "płk", "św", "ul", "al", "pl", "art", "nr",
        ],
        "ru" => &[
            "г", "гг", "ул", "им", "проф", "акад", "ген", "ст", "рис", "стр", "см", "тыс",
        ],
        _ => &["dr", "prof", "st"],
    };
    language.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<'t>(text: &'t str, tag: &str) -> Vec<&'t str> {
        let lang = tag.parse().unwrap();
        blocks(text)
            .flat_map(|block| sentences(text, block, lang))
            .map(|s| &text[s])
            .collect()
    }

    #[test]
    fn sentence_ends() {
        let table: [(&str, &str, &[&str]); 14] = [
            ("it", "Uno due. Tre quattro.", &["Uno due.", "Tre quattro."]),
            (
                "it",
                "Lo dice il dott. Rossi. Poi tace.",
                &["Lo dice il dott. Rossi.", "Poi tace."],
            ),
            (
                "it",
                "Ai sensi dell'art. 5 si applica.",
                &["Ai sensi dell'art. 5 si applica."],
            ),
            (
                "it",
                "Enel S.p.A. ha chiuso. Bene.",
                &["Enel S.p.A. ha chiuso.", "Bene."],
            ),
            (
                "it",
                "Scrive J. R. R. Tolkien. Fine.",
                &["Scrive J. R. R. Tolkien.", "Fine."],
            ),
            (
                "it",
                "«Davvero?» Sì! Perché?  No.",
                &["«Davvero?»", "Sì!", "Perché?", "No."],
            ),
            ("it", "Costa 3.5 euro.\nCosì", &["Costa 3.5 euro.", "Così"]),
            (
                "it",
                "una riga che va\na capo. Poi",
                &["una riga che va\na capo.", "Poi"],
            ),
            (
                "it",
                "una riga che va\r\na capo.",
                &["una riga che va\r\na capo."],
            ),
            ("it", "Titolo\nTesto", &["Titolo", "Testo"]),
            (
                "en",
                "Mr. Smith left. He ran.",
                &["Mr. Smith left.", "He ran."],
            ),
            (
                "de",
                "Dr. Meier kam. Er ging.",
                &["Dr. Meier kam.", "Er ging."],
            ),
            (
                "ru",
                "На ул. Ленина тихо. Да.",
                &["На ул. Ленина тихо.", "Да."],
            ),
            ("it", ".", &["."]),
        ];
        for (tag, text, expected) in table {
            assert_eq!(split(text, tag), expected, "{text:?}");
        }
    }
}
