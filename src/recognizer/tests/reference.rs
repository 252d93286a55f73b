//! Real models of five kinds against what `transformers` and ONNX Runtime said of them in Python
//! (`tests/fixtures/make_fixtures.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use crate::engine::{self, Options};
use crate::model::ModelFiles;
use crate::tokens::{Encoder, Unit};
use crate::{AggregationStrategy, Recognizer, Runtime, TagScheme};

const MODELS: [&str; 5] = [
    "bert-wordpiece",
    "distilbert-uncased",
    "xlmr-unigram",
    "roberta-bpe",
    "deberta-io",
];

#[derive(Deserialize)]
struct Case {
    text: String,
    ids: Vec<i64>,
    offsets: Vec<(usize, usize)>,
    word_ids: Vec<Option<u32>>,
    logits: Vec<Vec<f32>>,
    #[serde(default)]
    entities: BTreeMap<String, Vec<Expected>>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Expected {
    start: usize,
    end: usize,
    label: String,
}

fn dir(model: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(model)
}

fn cases(model: &str) -> Vec<Case> {
    serde_json::from_slice(&fs::read(dir(model).join("reference.json")).unwrap()).unwrap()
}

fn encoder(model: &str) -> (ModelFiles, Encoder) {
    let files = ModelFiles::from_dir(&dir(model)).unwrap();
    let encoder =
        Encoder::from_bytes(&files.tokenizer, files.config.max_tokens, Unit::Word).unwrap();
    (files, encoder)
}

#[test]
fn token_ids_are_those_of_python() {
    for model in MODELS {
        let (files, encoder) = encoder(model);
        assert_eq!(files.config.max_tokens, 64, "{model}");
        for case in cases(model) {
            let encodings = encoder.encode(&case.text).unwrap();
            assert_eq!(encodings.len(), 1, "{model} {:?}", case.text);
            assert_eq!(encodings[0].ids, case.ids, "{model} {:?}", case.text);
        }
    }
}

/// A word is the tokens of one word id, and covers their offsets.
#[test]
fn words_are_those_of_python() {
    for model in MODELS {
        let (_, encoder) = encoder(model);
        for case in cases(model) {
            for word in &encoder.encode(&case.text).unwrap()[0].words {
                let id = case.word_ids[word.tokens.start];
                assert!(id.is_some(), "{model} {:?} {word:?}", case.text);
                for token in word.tokens.clone() {
                    assert_eq!(case.word_ids[token], id, "{model} {:?} {word:?}", case.text);
                    let (start, end) = case.offsets[token];
                    let visible = case.text.get(start..end).unwrap_or("�").trim().len();
                    assert!(visible == 0 || start <= word.range.end && end >= word.range.start);
                }
            }
        }
    }
}

#[test]
fn logits_are_those_of_python() {
    for model in MODELS {
        let (files, encoder) = encoder(model);
        let options = Options {
            runtime: Runtime::Rten,
            threads: 1,
            #[cfg(feature = "ort")]
            library: None,
            #[cfg(feature = "ort")]
            environment: None,
        };
        let engine = engine::load(&files.graph, &options).unwrap();
        for case in cases(model) {
            let logits = engine::run(
                engine.as_ref(),
                &encoder.encode(&case.text).unwrap()[0],
                false,
            )
            .unwrap();
            for (row, expected) in logits.rows().into_iter().zip(&case.logits) {
                for (logit, expected) in row.iter().zip(expected) {
                    assert!((logit - expected).abs() < 1e-3, "{model} {:?}", case.text);
                }
            }
        }
    }
}

/// Texts of unknown words, whose labels differ inside words and follow one another as no scheme
/// allows: there Python joins and cuts what the constrained decoding does not.
const NONSENSE: [&str; 4] = ["Marion Rossini", "JÜRGEN", "Anna Conti ha", "Paris </s>"];

/// Two teams side by side: where Python averages or picks over all tokens of a word, the mark that
/// the second name begins is lost, and it joins the two.
const NEIGHBOURS: &str = "Partita finita: Juventus Inter";

/// Python's entities leave out combining accents that the tokenizer's normaliser drops.
const DECOMPOSED: &str = "Jose\u{301}";

#[test]
fn entities_are_those_of_the_python_pipeline() {
    let strategies = [
        (AggregationStrategy::Simple, "simple"),
        (AggregationStrategy::First, "first"),
        (AggregationStrategy::Average, "average"),
        (AggregationStrategy::Max, "max"),
    ];
    for model in ["bert-wordpiece", "distilbert-uncased"] {
        for (strategy, name) in strategies {
            let recognizer = Recognizer::builder()
                .model_dir(dir(model))
                .runtime(Runtime::Rten)
                .aggregation_strategy(strategy)
                .build()
                .unwrap();
            let joined = matches!(name, "average" | "max");
            let sensible = |case: &Case| {
                let text = case.text.as_str();
                let nonsense = NONSENSE.iter().any(|start| text.starts_with(start));
                !nonsense && (!joined || !text.starts_with(NEIGHBOURS))
            };
            for case in cases(model).into_iter().filter(sensible) {
                let expected = case.entities[name].iter().map(|entity| {
                    let decomposed = case.text.starts_with(DECOMPOSED);
                    let marks =
                        usize::from(decomposed && case.text[entity.end..].starts_with('\u{308}'));
                    (entity.start, entity.end + 2 * marks, entity.label.clone())
                });
                let found = recognizer.recognize(&case.text, "it").unwrap();
                let found = found
                    .iter()
                    .map(|e| (e.span.start, e.span.end, e.label.to_string()));
                assert_eq!(
                    found.collect::<Vec<_>>(),
                    expected.collect::<Vec<_>>(),
                    "{model} {name} {:?}",
                    case.text
                );
            }
        }
    }
}

#[test]
fn schemes_are_read_from_each_model() {
    let table = [
        ("bert-wordpiece", TagScheme::Bio),
        ("xlmr-unigram", TagScheme::Iob1),
        ("roberta-bpe", TagScheme::Bioes),
        ("deberta-io", TagScheme::Io),
    ];
    for (model, scheme) in table {
        let builder = Recognizer::builder()
            .model_dir(dir(model))
            .runtime(Runtime::Rten);
        assert_eq!(builder.build().unwrap().tag_scheme(), scheme, "{model}");
    }
}
