//! CoNLL files: one token a line with its tag last, a blank line between sentences.

use super::{AnnotatedText, FormatError};
use crate::entity::{Label, Span};

/// Reads pre-tokenised sentences and puts each back into the raw text that it was made from.
///
/// A line is a token and its tag, and anything between them is passed over; columns are separated
/// by tabs or spaces. Tags are `O`, `B-TYPE` or `I-TYPE` (BIO or IOB1). `-DOCSTART-` lines are
/// passed over.
///
/// Tokens are joined by spaces but for the places where written text has none: before closing
/// punctuation, after opening brackets and elided articles (`l'`, `dell'`), around English `'s`.
/// Straight quotes open and close in turn.
///
/// # Errors
///
/// If a line has no tag, or one that is none of these; the error has the number of the line.
///
/// ```
/// use nerite::{Label, evaluation::read_conll};
///
/// let items = read_conll("dell'\tO\nEnel\tB-ORG\nS.p.A.\tI-ORG\n,\tO\nieri\tO\n")?;
/// assert_eq!(items[0].text, "dell'Enel S.p.A., ieri");
/// let (span, label) = &items[0].entities[0];
/// assert_eq!((&items[0].text[span.range()], label), ("Enel S.p.A.", &Label::Org));
/// # Ok::<(), nerite::evaluation::FormatError>(())
/// ```
pub fn read_conll(content: &str) -> Result<Vec<AnnotatedText>, FormatError> {
    let mut items = Vec::new();
    let mut sentence = Sentence::default();
    for (at, line) in content.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            items.extend(std::mem::take(&mut sentence).finish());
        } else if !line.starts_with("-DOCSTART-") {
            sentence.push(line).map_err(|problem| FormatError {
                line: at + 1,
                problem,
            })?;
        }
    }
    items.extend(sentence.finish());
    Ok(items)
}

/// A sentence that is put together token by token.
#[derive(Default)]
struct Sentence {
    text: String,
    entities: Vec<(Span, Label)>,
    /// Whether the next token follows without a space.
    glued: bool,
    /// Straight quotes that are open: the double one and the single one.
    open_quotes: [bool; 2],
    /// Whether the last token is part of the last entity.
    in_entity: bool,
}

impl Sentence {
    fn push(&mut self, line: &str) -> Result<(), String> {
        let (token, tag) = line
            .split_once(['\t', ' '])
            .map(|(token, rest)| (token, rest.rsplit(['\t', ' ']).next().unwrap_or(rest)))
            .ok_or_else(|| format!("`{line}` has no tag; expected a token and a tag"))?;
        let span = self.write(token);
        if tag == "O" {
            self.in_entity = false;
            return Ok(());
        }
        let (begins, label) = match tag.split_once('-') {
            Some(("B", label)) => (true, Label::from(label)),
            Some(("I", label)) => (false, Label::from(label)),
            _ => {
                return Err(format!(
                    "`{tag}` is not a tag; expected `O`, `B-TYPE` or `I-TYPE`"
                ));
            }
        };
        match self.entities.last_mut() {
            Some((entity, last)) if self.in_entity && !begins && *last == label => {
                entity.end = span.end;
            }
            _ => self.entities.push((span, label)),
        }
        self.in_entity = true;
        Ok(())
    }

    /// Appends a token, with a space before it where written text has one.
    fn write(&mut self, token: &str) -> Span {
        let quote = match token {
            "\"" | "``" | "''" => Some(0),
            "'" | "`" => Some(1),
            _ => None,
        };
        let closes_quote = quote.is_some_and(|kind| self.open_quotes[kind]);
        if let Some(kind) = quote {
            self.open_quotes[kind] = !self.open_quotes[kind];
        }
        if !(self.text.is_empty() || self.glued || closes_quote || follows_closely(token)) {
            self.text.push(' ');
        }
        let start = self.text.len();
        self.text.push_str(match token {
            "``" | "''" => "\"",
            "-LRB-" => "(",
            "-RRB-" => ")",
            token => token,
        });
        self.glued = (quote.is_some() && !closes_quote) || precedes_closely(token);
        Span::new(start, self.text.len())
    }

    fn finish(self) -> Option<AnnotatedText> {
        let Self { text, entities, .. } = self;
        (!text.is_empty()).then_some(AnnotatedText { text, entities })
    }
}

/// Whether written text has no space before `token`.
fn follows_closely(token: &str) -> bool {
    matches!(
        token,
        "," | "."
            | ";"
            | ":"
            | "!"
            | "?"
            | ")"
            | "]"
            | "}"
            | "»"
            | "”"
            | "…"
            | "..."
            | "%"
            | "’"
            | "-RRB-"
            | "n't"
            | "n’t"
    ) || [
        "'s", "'S", "'re", "'ve", "'ll", "'m", "'d", "’s", "’re", "’ve", "’ll", "’m", "’d",
    ]
    .contains(&token)
}

/// Whether written text has no space after `token`.
fn precedes_closely(token: &str) -> bool {
    let elided = token.ends_with(['\'', '’']) && token.chars().any(char::is_alphabetic);
    elided
        || matches!(
            token,
            "(" | "[" | "{" | "«" | "“" | "„" | "‘" | "¿" | "¡" | "-LRB-"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_become_written_text() {
        let table = [
            ("Ciao , mondo !", "Ciao, mondo!"),
            ("l' Aquila ( Abruzzo ) .", "l'Aquila (Abruzzo)."),
            ("disse : \" Vado \" e uscì", "disse: \"Vado\" e uscì"),
            ("« Bene » , ma", "«Bene», ma"),
            ("Tim 's plan does n't fit", "Tim's plan doesn't fit"),
            ("`` Yes '' -LRB- he said -RRB-", "\"Yes\" (he said)"),
            ("il 15 % dell’ anno", "il 15% dell’anno"),
            ("¿ Qué tal ?", "¿Qué tal?"),
            ("Roma - Milano 2 - 1", "Roma - Milano 2 - 1"),
        ];
        for (tokens, expected) in table {
            let content: String = tokens
                .split(' ')
                .map(|token| format!("{token}\tO\n"))
                .collect();
            assert_eq!(read_conll(&content).unwrap()[0].text, expected);
        }
    }

    #[test]
    fn entities_follow_their_tags() {
        let content = "-DOCSTART- O\n\nA x B-PER\nB x I-PER\nC x B-PER\nD x I-ORG\nE x O\nF x I-ORG\n\n\nG\tB-LOC";
        let items = read_conll(content).unwrap();
        let found: Vec<Vec<_>> = items
            .iter()
            .map(|item| {
                item.entities
                    .iter()
                    .map(|(s, l)| (&item.text[s.range()], l.as_str()))
                    .collect()
            })
            .collect();
        assert_eq!(
            found,
            [
                vec![("A B", "PER"), ("C", "PER"), ("D", "ORG"), ("F", "ORG")],
                vec![("G", "LOC")]
            ]
        );
    }

    #[test]
    fn faults_name_the_line() {
        let table = [
            (
                "a\tO\nb",
                "line 2: `b` has no tag; expected a token and a tag",
            ),
            (
                "a\tPER",
                "line 1: `PER` is not a tag; expected `O`, `B-TYPE` or `I-TYPE`",
            ),
        ];
        for (content, message) in table {
            assert_eq!(read_conll(content).unwrap_err().to_string(), message);
        }
    }
}
