//! Tag schemes: what a model's labels say about where an entity begins and ends.

use crate::entity::Label;

/// How labels mark the words of an entity.
///
/// Read from the model's labels; to be given by hand only for a model whose labels mislead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TagScheme {
    /// Plain types (`ORG`, `O`), or `I-` alone: neighbours of one type are one entity.
    Io,
    /// `B-` begins every entity, `I-` continues it. Also called IOB2.
    Bio,
    /// `I-` throughout; `B-` only to begin an entity right after another of its type.
    Iob1,
    /// `B-`, `I-` and `E-` for entities of several words, `S-` for those of one. BILOU (`L-`, `U-`)
    /// and BMES (`M-`) are the same by other letters.
    Bioes,
}

/// The part of an entity that a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Begin,
    Inside,
    End,
    Single,
}

/// One label of the model: outside, or a part of an entity whose type is an index into
/// [`Tags::types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    Outside,
    Entity(Part, usize),
}

/// The labels of a model in the order of its outputs, and the transitions that their scheme allows.
#[derive(Clone, Debug)]
pub(crate) struct Tags {
    tags: Vec<Tag>,
    types: Vec<Label>,
    scheme: TagScheme,
    /// For each tag, the tags that may stand before it.
    predecessors: Vec<Vec<usize>>,
}

impl Tags {
    /// Reads the labels of `id2label`, in order. The error says which label fits no scheme.
    pub(crate) fn new(labels: &[String], scheme: Option<TagScheme>) -> Result<Self, String> {
        let mut types: Vec<Label> = Vec::new();
        let mut tags = Vec::with_capacity(labels.len());
        let mut prefixes = String::new();
        for label in labels {
            if label == "O" {
                tags.push(Tag::Outside);
                continue;
            }
            let (part, name) = match label.split_once(['-', '_']) {
                Some((prefix, name)) if prefix.len() == 1 => {
                    let part = match prefix {
                        "B" => Part::Begin,
                        "I" | "M" => Part::Inside,
                        "E" | "L" => Part::End,
                        "S" | "U" => Part::Single,
                        _ => return Err(format!("`{label}` begins with an unknown prefix")),
                    };
                    prefixes.push_str(prefix);
                    (part, name)
                }
                _ => (Part::Inside, label.as_str()),
            };
            let label = Label::from(name);
            let index = types
                .iter()
                .position(|known| *known == label)
                .unwrap_or_else(|| {
                    types.push(label);
                    types.len() - 1
                });
            tags.push(Tag::Entity(part, index));
        }
        if !tags.contains(&Tag::Outside) {
            return Err("there is no `O`".to_owned());
        }
        let plain = tags.len() - tags.iter().filter(|tag| **tag == Tag::Outside).count();
        if !prefixes.is_empty() && prefixes.len() != plain {
            return Err("some types have a prefix and some have none".to_owned());
        }
        let scheme = scheme.unwrap_or_else(|| detect(&tags, &types));
        let mut this = Self {
            tags,
            types,
            scheme,
            predecessors: Vec::new(),
        };
        this.predecessors = (0..labels.len())
            .map(|next| {
                (0..labels.len())
                    .filter(|&before| this.may_follow(before, next))
                    .collect()
            })
            .collect();
        Ok(this)
    }

    pub(crate) fn len(&self) -> usize {
        self.tags.len()
    }

    /// The types of entity, each once, in the order in which the labels name them.
    pub(crate) fn types(&self) -> &[Label] {
        &self.types
    }

    pub(crate) fn scheme(&self) -> TagScheme {
        self.scheme
    }

    /// The tags that may stand before `tag`.
    pub(super) fn predecessors(&self, tag: usize) -> &[usize] {
        &self.predecessors[tag]
    }

    /// Whether a sequence may begin with `tag`: what may follow `O` may.
    pub(super) fn may_start(&self, tag: usize) -> bool {
        self.follows(Tag::Outside, self.tags[tag])
    }

    /// Whether a sequence may end with `tag`.
    pub(super) fn may_end(&self, tag: usize) -> bool {
        self.follows(self.tags[tag], Tag::Outside)
    }

    fn may_follow(&self, before: usize, next: usize) -> bool {
        self.follows(self.tags[before], self.tags[next])
    }

    fn follows(&self, before: Tag, next: Tag) -> bool {
        use Part::{Begin, End, Inside, Single};
        let same_type = |a: usize| matches!(next, Tag::Entity(_, b) if a == b);
        match self.scheme {
            TagScheme::Io => true,
            TagScheme::Bio => match next {
                Tag::Entity(Inside, t) => matches!(before, Tag::Entity(_, b) if b == t),
                _ => true,
            },
            TagScheme::Iob1 => match next {
                Tag::Entity(Begin, t) if self.has(Inside, t) => {
                    matches!(before, Tag::Entity(_, b) if b == t)
                }
                _ => true,
            },
            TagScheme::Bioes => match before {
                Tag::Entity(Begin | Inside, t) => {
                    matches!(next, Tag::Entity(Inside | End, _)) && same_type(t)
                }
                Tag::Outside | Tag::Entity(End | Single, _) => {
                    matches!(next, Tag::Outside | Tag::Entity(Begin | Single, _))
                }
            },
        }
    }

    fn has(&self, part: Part, entity_type: usize) -> bool {
        self.tags.contains(&Tag::Entity(part, entity_type))
    }

    /// The type of the entity that `tag` is part of.
    pub(super) fn entity_type(&self, tag: usize) -> Option<usize> {
        match self.tags[tag] {
            Tag::Outside => None,
            Tag::Entity(_, entity_type) => Some(entity_type),
        }
    }

    /// Whether `next` belongs to the entity that `before`, its neighbour, is part of.
    pub(super) fn continues(&self, before: usize, next: usize) -> bool {
        let (Tag::Entity(_, a), Tag::Entity(part, b)) = (self.tags[before], self.tags[next]) else {
            return false;
        };
        a == b && matches!(part, Part::Inside | Part::End)
    }
}

/// The scheme that the labels themselves show.
fn detect(tags: &[Tag], types: &[Label]) -> TagScheme {
    let any = |part| {
        tags.iter()
            .any(|tag| matches!(tag, Tag::Entity(p, _) if *p == part))
    };
    let has = |part, entity_type| tags.contains(&Tag::Entity(part, entity_type));
    let inside_only = (0..types.len()).any(|t| has(Part::Inside, t) && !has(Part::Begin, t));
    if any(Part::End) || any(Part::Single) {
        TagScheme::Bioes
    } else if !any(Part::Begin) {
        TagScheme::Io
    } else if inside_only {
        TagScheme::Iob1
    } else {
        TagScheme::Bio
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(labels: &str) -> Result<Tags, String> {
        Tags::new(
            &labels.split(' ').map(str::to_owned).collect::<Vec<_>>(),
            None,
        )
    }

    #[test]
    fn schemes_are_read_from_the_labels() {
        let table = [
            ("O PER ORG", TagScheme::Io, "PER ORG"),
            ("O I-PER I-ORG", TagScheme::Io, "PER ORG"),
            ("O work-of-art GPE", TagScheme::Io, "work-of-art GPE"),
            ("O B-PER I-PER B-ORG I-ORG", TagScheme::Bio, "PER ORG"),
            ("O B_PER I_PER", TagScheme::Bio, "PER"),
            ("O B-PER B-ORG I-ORG", TagScheme::Bio, "PER ORG"),
            (
                "B-LOC B-ORG I-LOC I-ORG I-PER O",
                TagScheme::Iob1,
                "LOC ORG PER",
            ),
            ("O B-PER I-PER E-PER S-PER", TagScheme::Bioes, "PER"),
            ("O B-PER I-PER L-PER U-PER", TagScheme::Bioes, "PER"),
            ("B-NAME M-NAME E-NAME S-NAME O", TagScheme::Bioes, "NAME"),
            ("O B-date-time I-date-time", TagScheme::Bio, "date-time"),
        ];
        for (labels, scheme, types) in table {
            let tags = tags(labels).unwrap();
            assert_eq!(tags.scheme(), scheme, "{labels}");
            let names: Vec<_> = tags.types().iter().map(Label::as_str).collect();
            assert_eq!(names.join(" "), types, "{labels}");
        }
    }

    #[test]
    fn labels_without_a_scheme_are_refused() {
        let table = [
            ("B-PER I-PER", "there is no `O`"),
            ("LABEL_0 LABEL_1", "there is no `O`"),
            ("O X-PER", "`X-PER` begins with an unknown prefix"),
            ("O B-PER ORG", "some types have a prefix and some have none"),
        ];
        for (labels, problem) in table {
            assert_eq!(tags(labels).unwrap_err(), problem, "{labels}");
        }
    }

    /// Every pair of neighbours, written `before>next`, that a scheme forbids.
    fn forbidden(labels: &str) -> Vec<String> {
        let tags = tags(labels).unwrap();
        let names: Vec<_> = labels.split(' ').collect();
        let mut pairs = Vec::new();
        for (next, name) in names.iter().enumerate() {
            if !tags.may_start(next) {
                pairs.push(format!("^>{name}"));
            }
            for (before, before_name) in names.iter().enumerate() {
                if !tags.predecessors(next).contains(&before) {
                    pairs.push(format!("{before_name}>{name}"));
                }
            }
            if !tags.may_end(next) {
                pairs.push(format!("{name}>$"));
            }
        }
        pairs
    }

    #[test]
    fn impossible_transitions() {
        assert_eq!(forbidden("O A B"), [""; 0]);
        assert_eq!(
            forbidden("O B-A I-A B-B I-B"),
            [
                "^>I-A", "O>I-A", "B-B>I-A", "I-B>I-A", "^>I-B", "O>I-B", "B-A>I-B", "I-A>I-B"
            ]
        );
        assert_eq!(forbidden("O I-A B-A I-B"), ["^>B-A", "O>B-A", "I-B>B-A"]);
        assert_eq!(
            forbidden("O B-A I-A E-A S-A"),
            [
                "B-A>O", "I-A>O", "B-A>B-A", "I-A>B-A", "B-A>$", "^>I-A", "O>I-A", "E-A>I-A",
                "S-A>I-A", "I-A>$", "^>E-A", "O>E-A", "E-A>E-A", "S-A>E-A", "B-A>S-A", "I-A>S-A"
            ]
        );
    }
}
