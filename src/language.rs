//! Languages: their tags, and which one a text is written in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// A language, known by its ISO 639 code.
///
/// Parses from a BCP 47 tag in any case, with `-` or `_` between the subtags; region, script and
/// variants are checked for form and then ignored. Two- and three-letter codes of one language are
/// equal.
///
/// ```
/// use nerite::Language;
///
/// let italian: Language = "it".parse()?;
/// for tag in ["it-IT", "ITA", "it_CH", "IT-Latn-IT"] {
///     assert_eq!(tag.parse::<Language>()?, italian);
/// }
/// assert_eq!(italian.as_str(), "it");
/// assert!("italiano".parse::<Language>().is_err());
/// # Ok::<(), nerite::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Language(isolang::Language);

impl Language {
    pub(crate) const ITALIAN: Language = Language(isolang::Language::Ita);
    pub(crate) const ENGLISH: Language = Language(isolang::Language::Eng);
    pub(crate) const FRENCH: Language = Language(isolang::Language::Fra);

    /// The shortest ISO 639 code: two letters where there are two, otherwise three.
    pub fn as_str(&self) -> &'static str {
        self.0.to_639_1().unwrap_or_else(|| self.0.to_639_3())
    }
}

impl FromStr for Language {
    type Err = Error;

    fn from_str(tag: &str) -> Result<Self, Error> {
        let invalid = || Error::InvalidLanguage {
            tag: tag.to_owned(),
        };
        let mut subtags = tag.split(['-', '_']);
        let primary = subtags.next().unwrap_or_default().to_ascii_lowercase();
        let well_formed = |subtag: &str| {
            (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if !subtags.all(well_formed) {
            return Err(invalid());
        }
        match primary.len() {
            2 => isolang::Language::from_639_1(&primary),
            3 => isolang::Language::from_639_3(&primary),
            _ => None,
        }
        .map(Language)
        .ok_or_else(invalid)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({self})")
    }
}

impl AsRef<str> for Language {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The languages of a model, and how a caller's `lang` is read against them.
#[derive(Clone, Debug)]
pub(crate) struct Supported(Vec<Language>);

/// Detection looks at this many bytes of a text, some 600 words, so that a text of many megabytes is
/// not read twice.
const DETECTION_BYTES: usize = 4096;

impl Supported {
    /// An empty list supports every language.
    pub(crate) fn new(languages: Vec<Language>) -> Self {
        Self(languages)
    }

    pub(crate) fn as_slice(&self) -> &[Language] {
        &self.0
    }

    /// The language to recognise `text` in: what `lang` says, or for `auto` what the text is in.
    pub(crate) fn resolve(&self, lang: &str, text: &str) -> Result<Language, Error> {
        if lang.eq_ignore_ascii_case("auto") {
            return Ok(self.detect(text));
        }
        let language = lang.parse()?;
        if self.0.is_empty() || self.0.contains(&language) {
            Ok(language)
        } else {
            Err(Error::UnsupportedLanguage {
                language,
                supported: self.0.clone(),
            })
        }
    }

    /// The likeliest supported language of the text; the main one if the text shows none.
    fn detect(&self, text: &str) -> Language {
        let head = &text[..text.floor_char_boundary(DETECTION_BYTES)];
        let known = self
            .0
            .iter()
            .filter_map(|l| whatlang::Lang::from_code(l.0.to_639_3()))
            .collect();
        let detector = match self.0.is_empty() {
            true => whatlang::Detector::new(),
            false => whatlang::Detector::with_allowlist(known),
        };
        detector
            .detect_lang(head)
            .and_then(|detected| isolang::Language::from_639_3(detected.code()))
            .map(Language)
            .filter(|language| self.0.is_empty() || self.0.contains(language))
            .or_else(|| self.0.first().copied())
            .unwrap_or(Language::ENGLISH)
    }
}

/// `it, en, de`: for messages.
pub(crate) fn join(languages: &[Language]) -> String {
    languages
        .iter()
        .map(Language::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supported() -> Supported {
        let tags = ["it", "en", "de", "fr", "es", "pt", "nl", "pl", "ru"];
        Supported::new(tags.iter().map(|tag| tag.parse().unwrap()).collect())
    }

    #[test]
    fn tags() {
        let table = [
            ("it", Some("it")),
            ("IT", Some("it")),
            ("ita", Some("it")),
            ("it-IT", Some("it")),
            ("it_IT", Some("it")),
            ("de-Latn-DE-1996", Some("de")),
            ("pt-BR", Some("pt")),
            ("eng", Some("en")),
            ("nap", Some("nap")),
            ("", None),
            ("-", None),
            ("i", None),
            ("xx", None),
            ("it-", None),
            ("it--IT", None),
            ("it-ITALIANO1", None),
            ("it IT", None),
            ("ità", None),
            ("x-klingon", None),
            ("🇮🇹", None),
        ];
        for (tag, expected) in table {
            let parsed = tag.parse::<Language>().ok();
            assert_eq!(parsed.as_ref().map(Language::as_str), expected, "{tag:?}");
        }
    }

    #[test]
    fn an_unsupported_language_is_told_the_supported_ones() {
        let message = supported().resolve("ja-JP", "").unwrap_err().to_string();
        assert_eq!(
            message,
            "this model does not know the language `ja`; it knows it, en, de, fr, es, pt, nl, pl, ru"
        );
        assert!(Supported::new(vec![]).resolve("ja", "").is_ok());
    }

    #[test]
    fn auto_detects_each_supported_language() {
        let table = [
            (
                "it",
                "Il governo ha approvato ieri il nuovo decreto sulle telecomunicazioni.",
            ),
            (
                "en",
                "The government approved the new telecommunications decree yesterday.",
            ),
            (
                "de",
                "Die Regierung hat gestern das neue Gesetz über die Telekommunikation beschlossen.",
            ),
            (
                "fr",
                "Le gouvernement a adopté hier le nouveau décret sur les télécommunications.",
            ),
            (
                "es",
                "El gobierno aprobó ayer el nuevo decreto sobre las telecomunicaciones.",
            ),
            (
                "pt",
                "O governo aprovou ontem o novo decreto sobre as telecomunicações.",
            ),
            (
                "nl",
                "De regering heeft gisteren het nieuwe besluit over telecommunicatie goedgekeurd.",
            ),
            (
                "pl",
                "Rząd przyjął wczoraj nowe rozporządzenie w sprawie telekomunikacji.",
            ),
            (
                "ru",
                "Правительство вчера одобрило новый указ о телекоммуникациях.",
            ),
        ];
        for (expected, text) in table {
            assert_eq!(
                supported().resolve("auto", text).unwrap().as_str(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn auto_falls_back_to_the_main_language() {
        for text in ["", "   ", "12345 67", "🎉🎉", "\0\0", "日本語のテキスト"] {
            assert_eq!(
                supported().resolve("AUTO", text).unwrap(),
                Language::ITALIAN,
                "{text:?}"
            );
        }
    }

    #[test]
    fn detection_cuts_between_characters() {
        let text = "è".repeat(DETECTION_BYTES);
        supported().resolve("auto", &text[2..]).unwrap();
        supported().resolve("auto", &format!("x{text}")).unwrap();
    }
}
