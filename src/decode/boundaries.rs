//! Where an entity's name really begins and ends, when a tokenizer glues other characters to it.
//!
//! Models whose pre-tokenizer splits at apostrophes and punctuation decide that themselves. Those
//! that split at white space alone see `dell'Alibaba,` as one word; what is not part of the name is
//! then trimmed by these rules.

use std::ops::Range;

use unicode_segmentation::GraphemeCursor;

use crate::entity::Label;
use crate::language::Language;

/// The name within `text[range]`, a run of whole words that the model calls an entity.
///
/// `last_word` is where the last of these words begins. The result is empty when nothing but
/// punctuation was marked.
pub(super) fn trim(
    text: &str,
    range: Range<usize>,
    last_word: usize,
    label: &Label,
    lang: Language,
) -> Range<usize> {
    let range = trim_opening(text, range);
    let range = trim_elision(text, range, label, lang);
    let range = trim_closing(text, range, last_word, lang);
    trim_function_word(text, range, lang)
}

/// `range`, widened to characters as users see them: normalisers leave the combining accents of
/// decomposed text outside of every token.
pub(super) fn whole_graphemes(text: &str, range: Range<usize>) -> Range<usize> {
    let cursor = |at| GraphemeCursor::new(at, text.len(), true);
    let inside = |at| !cursor(at).is_boundary(text, 0).unwrap_or(true);
    let start = match inside(range.start) {
        true => cursor(range.start).prev_boundary(text, 0).ok().flatten(),
        false => None,
    };
    let end = match inside(range.end) {
        true => cursor(range.end).next_boundary(text, 0).ok().flatten(),
        false => None,
    };
    start.unwrap_or(range.start)..end.unwrap_or(range.end)
}

/// Drops quotes, brackets and punctuation before the name.
fn trim_opening(text: &str, mut range: Range<usize>) -> Range<usize> {
    while let Some(first) = text[range.clone()].chars().next() {
        let after = &text[range.start + first.len_utf8()..range.end];
        let before_number = after.starts_with(|c: char| c.is_numeric());
        let dropped = match first {
            '(' | '[' | '{' => !closes_inside(after, first),
            // `.NET`, `-5 °C`, `'90`
            '.' => !after.starts_with(char::is_alphanumeric),
            '-' | '–' | '−' | '\'' | '’' => !before_number,
            ')' | ']' | '}' | '"' | '“' | '”' | '„' | '«' | '»' | '‘' | '‹' | '›' | ',' | ';'
            | ':' | '!' | '?' | '…' | '—' | '•' | '·' | '*' | '/' | '|' => true,
            other => other.is_whitespace(),
        };
        if !dropped {
            break;
        }
        range.start += first.len_utf8();
    }
    range
}

/// Whether the bracket `opening`, which stands before `after`, has its partner inside `after` and
/// not at its end: `(Neo)Ware` does, `(Neoware)` does not.
fn closes_inside(after: &str, opening: char) -> bool {
    let closing = partner(opening);
    after
        .find(closing)
        .is_some_and(|at| !after[at + closing.len_utf8()..].is_empty())
}

fn partner(bracket: char) -> char {
    match bracket {
        '(' => ')',
        '[' => ']',
        '{' => '}',
        ')' => '(',
        ']' => '[',
        _ => '{',
    }
}

/// Italian articles and prepositions that lose their vowel before a name.
const ITALIAN: &[&str] = &[
    "l", "un", "d", "dell", "nell", "sull", "all", "dall", "coll", "quell", "quest", "c", "s", "m",
    "t", "v", "gl", "anch", "com", "dov", "bell", "nessun", "ciascun", "mezz", "tutt", "senz",
];

/// French ones.
const FRENCH: &[&str] = &[
    "l", "d", "j", "m", "t", "s", "c", "n", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu",
];

/// Names that keep their article, by what follows it.
const WITH_ARTICLE: &[&str] = &[
    "Aquila", "Aia", "Avana", "Espresso", "Oréal", "Equipe", "Équipe", "Unità", "Oise",
];

/// Drops the elided article or preposition of `dell'Alibaba`, but not that of `L'Aquila`,
/// `D'Alema` or `d'Annunzio`: capitalised ones go only at the beginning of a sentence, and neither
/// they nor a `d'` ever from a person.
fn trim_elision(text: &str, range: Range<usize>, label: &Label, lang: Language) -> Range<usize> {
    let particles = match lang {
        Language::ITALIAN => ITALIAN,
        Language::FRENCH => FRENCH,
        _ => return range,
    };
    let name = &text[range.clone()];
    let Some(apostrophe) = name.find(['\'', '’']) else {
        return range;
    };
    let (particle, rest) = name.split_at(apostrophe);
    let rest = rest.trim_start_matches(['\'', '’']);
    if rest.is_empty() || !particles.contains(&particle.to_lowercase().as_str()) {
        return range;
    }
    let capitalised = particle.starts_with(char::is_uppercase);
    let person = *label == Label::Per;
    let keeps_article = person || WITH_ARTICLE.iter().any(|name| rest.starts_with(name));
    let surname = person && particle == "d";
    if surname || capitalised && (keeps_article || !begins_sentence(text, range.start)) {
        return range;
    }
    range.end - rest.len()..range.end
}

/// Whether nothing but an end of sentence, a line break or an opening mark stands before `at`.
fn begins_sentence(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches(|c: char| {
        matches!(c, '"' | '“' | '«' | '‘' | '(' | '[') || (c.is_whitespace() && c != '\n')
    });
    before.is_empty() || before.ends_with(['.', '!', '?', '…', ':', '\n', '»', '”', '"', '—', '–'])
}

/// Drops quotes, brackets, punctuation and the English possessive after the name.
fn trim_closing(
    text: &str,
    mut range: Range<usize>,
    last_word: usize,
    lang: Language,
) -> Range<usize> {
    while let Some(last) = text[range.clone()].chars().next_back() {
        let before = &text[range.start..range.end - last.len_utf8()];
        let dropped = match last {
            ')' | ']' | '}' => {
                before.matches(partner(last)).count() <= before.matches(last).count()
            }
            '.' => ends_with_stop(text, before, range.start.max(last_word)),
            // `Universita'` is how newswires write `Università`.
            '\'' | '’' => {
                let quoted = text[..range.start].ends_with(['\'', '‘', '’']);
                quoted || lang != Language::ITALIAN || !before.ends_with(is_vowel)
            }
            '(' | '[' | '{' | '"' | '“' | '”' | '„' | '«' | '»' | '‘' | '‹' | '›' | ',' | ';'
            | ':' | '…' | '—' | '–' | '-' | '•' | '·' | '*' | '/' | '|' => true,
            // `Yahoo!` keeps its mark where the model sees it as a word of its own.
            '!' | '?' => before.len() > last_word.saturating_sub(range.start),
            other => other.is_whitespace(),
        };
        if dropped {
            range.end -= last.len_utf8();
            continue;
        }
        match possessive(&text[range.clone()], lang) {
            Some(length) => range.end -= length,
            None => break,
        }
    }
    range
}

fn is_vowel(c: char) -> bool {
    matches!(c.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u')
}

/// Drops a preposition, article or conjunction that the model takes into the end of a name, as in
/// `Salone del libro di`.
fn trim_function_word(text: &str, range: Range<usize>, lang: Language) -> Range<usize> {
    let words: &[&str] = match lang.as_str() {
        "it" => &[
            "di", "a", "da", "in", "con", "su", "per", "tra", "fra", "e", "ed", "o", "del",
            "dello", "della", "dei", "degli", "delle", "al", "allo", "alla", "ai", "agli", "alle",
            "dal", "dallo", "dalla", "dai", "dagli", "dalle", "nel", "nello", "nella", "nei",
            "negli", "nelle", "sul", "sullo", "sulla", "sui", "sugli", "sulle", "il", "lo", "la",
            "i", "gli", "le",
        ],
        "en" => &[
            "of", "in", "at", "on", "for", "and", "or", "the", "to", "from", "by", "with",
        ],
        "de" => &[
            "von", "vom", "in", "im", "an", "am", "auf", "und", "oder", "der", "die", "das", "des",
            "zu", "zum", "zur",
        ],
        "fr" => &[
            "de", "du", "des", "à", "au", "aux", "en", "et", "ou", "le", "la", "les", "sur", "pour",
        ],
        "es" => &[
            "de", "del", "a", "al", "en", "y", "e", "o", "el", "la", "los", "las", "con", "por",
            "para",
        ],
        "pt" => &[
            "de", "do", "da", "dos", "das", "em", "no", "na", "nos", "nas", "e", "ou", "ao", "à",
            "com", "por", "para",
        ],
        "nl" => &[
            "van", "in", "op", "en", "of", "de", "het", "voor", "met", "aan",
        ],
        "pl" => &[
            "w", "we", "z", "ze", "na", "do", "od", "i", "oraz", "dla", "przy",
        ],
        "ru" => &[
            "в", "во", "на", "из", "с", "со", "и", "для", "по", "от", "до", "к",
        ],
        _ => &[],
    };
    let name = &text[range.clone()];
    match name.rsplit_once(char::is_whitespace) {
        Some((rest, last)) if words.contains(&last) => {
            range.start..range.start + rest.trim_end().len()
        }
        _ => range,
    }
}

/// Whether the full stop after `before` ends a sentence, and not an abbreviation such as `S.p.A.`,
/// `Inc.` or `J.`; one that the model sees as a word of its own is the model's decision.
fn ends_with_stop(text: &str, before: &str, last_word: usize) -> bool {
    const ABBREVIATIONS: &[&str] = &[
        "inc", "ltd", "co", "corp", "bros", "jr", "sr", "cie", "llc", "plc", "bhd", "pty", "no",
        "gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "sett", "ott", "nov", "dic",
        "mln", "mld", "mrd", "mio",
    ];
    let end = before.as_ptr() as usize - text.as_ptr() as usize + before.len();
    let word = text.get(last_word..end).unwrap_or_default();
    let single_letter = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    let abbreviated = word.contains('.')
        || single_letter
        || ABBREVIATIONS.contains(&word.to_lowercase().as_str());
    !word.is_empty() && !abbreviated
}

/// Length of the `'s` at the end of an English name that has one.
fn possessive(name: &str, lang: Language) -> Option<usize> {
    let endings = ["'s", "’s", "'S", "’S"];
    let ending = endings.into_iter().find(|ending| name.ends_with(ending))?;
    (lang == Language::ENGLISH && name.len() > ending.len()).then_some(ending.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Trims the stretch between `<` and `>`, words split at white space.
    fn trimmed(marked: &str, label: &Label, lang: &str) -> String {
        let start = marked.find('<').unwrap();
        let end = marked.find('>').unwrap() - 1;
        let text: String = marked.chars().filter(|c| !matches!(c, '<' | '>')).collect();
        let last_word = text[start..end]
            .rfind(' ')
            .map_or(start, |at| start + at + 1);
        text[trim(&text, start..end, last_word, label, lang.parse().unwrap())].to_owned()
    }

    #[test]
    fn glued_characters_are_trimmed() {
        let table = [
            ("it", Label::Org, "azioni <dell'Alibaba,> ieri", "Alibaba"),
            ("it", Label::Org, "azioni <dell’Alibaba.>", "Alibaba"),
            ("it", Label::Loc, "<L'Italia> cresce", "Italia"),
            ("it", Label::Loc, "<L'Aquila> cresce", "L'Aquila"),
            ("it", Label::Loc, "vola a <L'Avana,> poi", "L'Avana"),
            ("it", Label::Org, "Fine. <Dell'Enel> si dice", "Enel"),
            ("it", Label::Per, "Parla <D'Alema.>", "D'Alema"),
            ("it", Label::Per, "<Dell'Utri> tace", "Dell'Utri"),
            ("it", Label::Per, "Disse <d'Annunzio>", "d'Annunzio"),
            ("it", Label::Per, "parla <dell'Orsini>", "Orsini"),
            ("it", Label::Org, "la <(OMS)> dice", "OMS"),
            ("it", Label::Org, "di <«Repubblica»,> ieri", "Repubblica"),
            ("it", Label::Org, "di <Enel S.p.A.> ieri", "Enel S.p.A."),
            ("it", Label::Org, "di <Apple Inc.> ieri", "Apple Inc."),
            ("it", Label::Org, "di <Apple.>", "Apple"),
            ("it", Label::Product, "il <.NET> framework", ".NET"),
            ("it", Label::Quantity, "a <-5 °C,> circa", "-5 °C"),
            ("it", Label::Date, "negli <anni '90.>", "anni '90"),
            ("it", Label::Date, "<'90> addio", "'90"),
            ("it", Label::Org, "la <Universita'> di", "Universita'"),
            ("it", Label::Org, "la '<Repubblica'> di", "Repubblica"),
            ("it", Label::Work, "(<Via (di) qui)> ok", "Via (di) qui"),
            ("it", Label::Org, "<(Neo)Ware> cresce", "(Neo)Ware"),
            ("it", Label::Org, "la <Yahoo!> di", "Yahoo"),
            ("fr", Label::Org, "de <l’ONU,> hier", "ONU"),
            ("fr", Label::Org, "<qu'Airbus> vend", "Airbus"),
            ("en", Label::Org, "see <Apple's> plan", "Apple"),
            ("en", Label::Per, "from <Tim Cook’s,> he", "Tim Cook"),
            ("de", Label::Org, "von <Aldi's> Plan", "Aldi's"),
            ("en", Label::Org, "see <l'Oréal> plan", "l'Oréal"),
            (
                "it",
                Label::Event,
                "il <Salone del libro di> Torino",
                "Salone del libro",
            ),
            ("it", Label::Product, "la <Classe A> nuova", "Classe A"),
            ("en", Label::Org, "the <Bank of> England", "Bank"),
            ("it", Label::Org, "<di> qui", "di"),
            ("it", Label::Org, "ecco <«...»> qui", ""),
            ("it", Label::Org, "ecco <—> qui", ""),
        ];
        for (lang, label, marked, expected) in table {
            assert_eq!(trimmed(marked, &label, lang), expected, "{marked}");
        }
    }

    #[test]
    fn combining_marks_and_joined_emoji_stay_whole() {
        let table = [
            ("Zoe\u{308} va", 0..3, "Zoe\u{308}"),
            ("Zoe\u{308} va", 0..5, "Zoe\u{308}"),
            ("a 👩‍🚀", 2..6, "👩‍🚀"),
            ("a 👩‍🚀", 6..13, "👩‍🚀"),
            ("Roma\r\n", 0..4, "Roma"),
        ];
        for (text, range, expected) in table {
            assert_eq!(&text[whole_graphemes(text, range)], expected, "{text:?}");
        }
    }

    #[test]
    fn marks_that_are_words_of_their_own_stay() {
        let text = "Yahoo! Inc. e";
        let lang = Language::ITALIAN;
        assert_eq!(trim(text, 0..6, 5, &Label::Org, lang), 0..6);
        assert_eq!(trim(text, 0..11, 10, &Label::Org, lang), 0..11);
    }

    proptest! {
        #[test]
        fn the_result_lies_within_on_boundaries(
            text in "(\\PC|[a-zA-Z'’ .,()«»-]){1,30}",
            a in any::<prop::sample::Index>(),
            b in any::<prop::sample::Index>(),
            c in any::<prop::sample::Index>(),
            lang in prop::sample::select(vec!["it", "fr", "en", "de"]),
        ) {
            let at = |index: prop::sample::Index| text.floor_char_boundary(index.index(text.len() + 1));
            let (start, end) = (at(a).min(at(b)), at(a).max(at(b)));
            let last_word = at(c).clamp(start, end);
            let result = trim(&text, start..end, last_word, &Label::Org, lang.parse().unwrap());
            prop_assert!(start <= result.start && result.start <= result.end && result.end <= end);
            prop_assert!(text.get(result).is_some());
        }
    }
}
