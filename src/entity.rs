//! What a recognizer returns: entities, their labels and their spans.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A half-open range of bytes, `start..end`, that indexes into the text it was found in.
///
/// ```
/// let span = nerite::Span::new(4, 8);
/// assert_eq!(&"via Roma"[span.range()], "Roma");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset of the byte after the last.
    pub end: usize,
}

impl Span {
    /// Makes the span `start..end`.
    ///
    /// # Panics
    ///
    /// If `start` is greater than `end`.
    pub fn new(start: usize, end: usize) -> Self {
        assert!(
            start <= end,
            "a span cannot start at {start} and end at {end}"
        );
        Self { start, end }
    }

    /// The span as a range, ready to slice a `str`.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether the span covers nothing.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A named mention in a text.
///
/// Serialises as `{"start":…,"end":…,"label":"ORG","text":"…","score":…}`, offsets in bytes.
///
/// ```
/// use nerite::Entity;
///
/// let json = r#"{"start":6,"end":13,"label":"ORG","text":"Alibaba","score":0.99}"#;
/// let entity: Entity = serde_json::from_str(json)?;
/// assert_eq!(entity.to_string(), "Alibaba (ORG, 0.99)");
/// assert_eq!(serde_json::to_string(&entity)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Where the mention stands in the recognised text, in bytes.
    #[serde(flatten)]
    pub span: Span,
    /// The type of entity.
    pub label: Label,
    /// The mention itself: `text[entity.range()]`.
    pub text: String,
    /// Probability, from 0 to 1, that exactly this span carries exactly this label.
    pub score: f32,
}

impl Entity {
    /// The byte range of the mention in the recognised text.
    pub fn range(&self) -> Range<usize> {
        self.span.range()
    }

    /// The range of the mention in `text`, counted in characters (Unicode scalar values), as
    /// languages that index strings by code point want it.
    ///
    /// `None` if the byte range does not lie within `text` on character boundaries, which happens
    /// only when `text` is not the text that was recognised. Takes time linear in `span.end`.
    ///
    /// ```
    /// # use nerite::{Entity, Label, Span};
    /// let text = "Così parlò Alibaba";
    /// let start = text.find("Alibaba").unwrap();
    /// let entity = Entity {
    ///     span: Span::new(start, text.len()),
    ///     label: Label::Org,
    ///     text: "Alibaba".into(),
    ///     score: 1.0,
    /// };
    /// assert_eq!(entity.range(), 13..20);
    /// assert_eq!(entity.char_range(text), Some(11..18));
    /// ```
    pub fn char_range(&self, text: &str) -> Option<Range<usize>> {
        let start = text.get(..self.span.start)?.chars().count();
        let length = text.get(self.range())?.chars().count();
        Some(start..start + length)
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {:.2})", self.text, self.label, self.score)
    }
}

/// The type of an entity.
///
/// The ten named variants are the types of the models trained for nerite; any other model's labels
/// arrive as [`Label::Other`], spelt as in its `config.json`.
///
/// ```
/// use nerite::Label;
///
/// assert_eq!("ORG".parse(), Ok(Label::Org));
/// assert_eq!(Label::from("GPE"), Label::Other("GPE".to_owned()));
/// assert_eq!(Label::Percent.as_str(), "PERCENT");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Label {
    /// People, without titles or roles.
    Per,
    /// Companies, institutions, teams, newspapers and other named bodies.
    Org,
    /// Countries, cities, streets, buildings, rivers and other places.
    Loc,
    /// Named products, services, software, vehicles.
    Product,
    /// Named events: wars, tournaments, fairs, storms.
    Event,
    /// Titles of works, laws, treaties, plans.
    Work,
    /// Dates, times, periods and durations.
    Date,
    /// Amounts of money with their currency.
    Money,
    /// Percentages.
    Percent,
    /// Numbers with a unit of measure.
    Quantity,
    /// A label that only this model knows.
    Other(String),
}

impl Label {
    const NAMED: [(Label, &'static str); 10] = [
        (Label::Per, "PER"),
        (Label::Org, "ORG"),
        (Label::Loc, "LOC"),
        (Label::Product, "PRODUCT"),
        (Label::Event, "EVENT"),
        (Label::Work, "WORK"),
        (Label::Date, "DATE"),
        (Label::Money, "MONEY"),
        (Label::Percent, "PERCENT"),
        (Label::Quantity, "QUANTITY"),
    ];

    /// The label as models and files spell it.
    pub fn as_str(&self) -> &str {
        match self {
            Label::Other(name) => name,
            named => Self::NAMED
                .iter()
                .find_map(|(label, name)| (label == named).then_some(*name))
                .expect("NAMED lists every variant but Other"),
        }
    }
}

impl From<&str> for Label {
    fn from(name: &str) -> Self {
        Self::NAMED
            .iter()
            .find_map(|(label, known)| (*known == name).then(|| label.clone()))
            .unwrap_or_else(|| Label::Other(name.to_owned()))
    }
}

impl FromStr for Label {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(name))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self::from(name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_survives_its_spelling() {
        for (label, name) in Label::NAMED {
            assert_eq!(label.as_str(), name);
            assert_eq!(Label::from(name), label);
        }
        for name in ["GPE", "per", "", "B-PER", "work of art"] {
            assert_eq!(Label::from(name), Label::Other(name.to_owned()));
            assert_eq!(Label::from(name).as_str(), name);
        }
    }

    #[test]
    fn char_range_refuses_a_foreign_text() {
        let entity = Entity {
            span: Span::new(1, 3),
            label: Label::Loc,
            text: "à".into(),
            score: 0.5,
        };
        assert_eq!(entity.char_range("xà"), Some(1..2));
        assert_eq!(entity.char_range("àx"), None);
        assert_eq!(entity.char_range(""), None);
    }

    #[test]
    #[should_panic(expected = "a span cannot start at 3 and end at 1")]
    fn a_span_never_runs_backwards() {
        Span::new(3, 1);
    }
}
