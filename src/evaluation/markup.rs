//! Inline markup: `[[Enel|ORG]] apre una sede a [[Lecce|LOC]].`

use super::{AnnotatedText, FormatError};
use crate::entity::{Label, Span};

/// Reads texts with inline markup, one a line; blank lines are passed over.
///
/// # Errors
///
/// If markup is not closed, has no label or is nested; the error has the number of the line.
///
/// ```
/// use nerite::{Label, evaluation::read_markup};
///
/// let items = read_markup("[[Enel|ORG]] cresce.\nNulla qui.\n")?;
/// assert_eq!(items[0].text, "Enel cresce.");
/// assert_eq!(items[0].entities[0].1, Label::Org);
/// assert!(items[1].entities.is_empty());
/// # Ok::<(), nerite::evaluation::FormatError>(())
/// ```
pub fn read_markup(content: &str) -> Result<Vec<AnnotatedText>, FormatError> {
    content
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            parse(line).map_err(|problem| FormatError {
                line: at + 1,
                problem,
            })
        })
        .collect()
}

impl AnnotatedText {
    /// Takes the markup out of one text, which may have several lines.
    ///
    /// # Errors
    ///
    /// As [`read_markup`]; the number of the line is always 1.
    pub fn from_markup(marked: &str) -> Result<Self, FormatError> {
        parse(marked).map_err(|problem| FormatError { line: 1, problem })
    }
}

fn parse(marked: &str) -> Result<AnnotatedText, String> {
    let mut text = String::with_capacity(marked.len());
    let mut entities = Vec::new();
    let mut rest = marked;
    while let Some((before, opened)) = rest.split_once("[[") {
        text.push_str(before);
        let (inside, after) = opened
            .split_once("]]")
            .ok_or_else(|| format!("`[[{}` is not closed by `]]`", shortened(opened)))?;
        let (surface, label) = inside
            .rsplit_once('|')
            .filter(|(surface, label)| !surface.is_empty() && !label.is_empty())
            .ok_or_else(|| format!("`[[{inside}]]` is not of the form `[[text|LABEL]]`"))?;
        if surface.contains("[[") {
            return Err(format!("`[[{inside}]]` is nested"));
        }
        let start = text.len();
        text.push_str(surface);
        entities.push((Span::new(start, text.len()), Label::from(label)));
        rest = after;
    }
    text.push_str(rest);
    Ok(AnnotatedText { text, entities })
}

fn shortened(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_taken_out() {
        let items = read_markup("\u{feff}«[[L'Aquila|LOC]]» e\r\n\n[[a|b|X]]").unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].text, "«L'Aquila» e");
        let (span, label) = &items[0].entities[0];
        assert_eq!(&items[0].text[span.range()], "L'Aquila");
        assert_eq!(*label, Label::Loc);
        assert_eq!(items[1].text, "a|b");
        assert_eq!(items[1].entities[0].1, Label::Other("X".into()));
    }

    #[test]
    fn faults_name_the_line() {
        let table = [
            (
                "ok\n[[Enel|ORG",
                "line 2: `[[Enel|ORG` is not closed by `]]`",
            ),
            (
                "[[Enel]]",
                "line 1: `[[Enel]]` is not of the form `[[text|LABEL]]`",
            ),
            (
                "[[|ORG]]",
                "line 1: `[[|ORG]]` is not of the form `[[text|LABEL]]`",
            ),
            ("[[a [[b|ORG]] c|PER]]", "line 1: `[[a [[b|ORG]]` is nested"),
        ];
        for (content, message) in table {
            assert_eq!(read_markup(content).unwrap_err().to_string(), message);
        }
    }
}
