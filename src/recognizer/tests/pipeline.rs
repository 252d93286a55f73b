//! The rooms together, on an engine that is sure of a tag for each word it knows.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ndarray::Array2;
use proptest::prelude::*;

use crate::engine::fake::Fake;
use crate::engine::{Engine, Failure};
use crate::model::{Config, Graph, ModelFiles};
use crate::recognizer::RecognizerBuilder;
use crate::{Entity, Error, Label, LongText, Recognizer};

const LABELS: [&str; 5] = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"];

/// The words that the scripted model knows, with their tags.
const KNOWN: [(&str, usize); 4] = [("Anna", 1), ("Rossi", 2), ("Roma", 3), ("Nord", 4)];

/// Ids 0 to 2 are special tokens and the unknown word.
fn tag_of(id: i64) -> usize {
    usize::try_from(id - 3)
        .ok()
        .and_then(|at| KNOWN.get(at))
        .map_or(0, |(_, tag)| *tag)
}

/// A model that splits words at white space and punctuation, and takes `max_tokens`.
fn files(max_tokens: usize, labels: &[&str]) -> ModelFiles {
    let vocab: serde_json::Map<_, _> = ["[UNK]", "[CLS]", "[SEP]"]
        .into_iter()
        .chain(KNOWN.map(|(word, _)| word))
        .enumerate()
        .map(|(id, word)| (word.to_owned(), id.into()))
        .collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"}
    });
    ModelFiles {
        config: Config {
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            max_tokens,
            vocabulary_size: None,
            languages: vec!["it".parse().unwrap(), "en".parse().unwrap()],
            temperature: 1.0,
        },
        config_path: PathBuf::from("fake/config.json"),
        tokenizer: Cow::Owned(tokenizer.to_string().into_bytes()),
        tokenizer_path: PathBuf::from("fake/tokenizer.json"),
        graph: Graph {
            path: PathBuf::from("fake/model.onnx"),
            embedded: None,
        },
    }
}

fn assemble(
    builder: RecognizerBuilder,
    max_tokens: usize,
    engine: impl Engine + 'static,
) -> Result<Recognizer, Error> {
    assemble_files(builder, files(max_tokens, &LABELS), engine)
}

fn assemble_files(
    builder: RecognizerBuilder,
    files: ModelFiles,
    engine: impl Engine + 'static,
) -> Result<Recognizer, Error> {
    let encoder = builder.encoder(&files)?;
    builder.assemble(files, encoder, Box::new(engine))
}

fn recognizer(threads: usize, max_tokens: usize) -> Recognizer {
    let engine = Fake::tagging(LABELS.len(), tag_of);
    assemble(Recognizer::builder().threads(threads), max_tokens, engine).unwrap()
}

fn brief(entities: &[Entity]) -> Vec<(&str, &str)> {
    entities
        .iter()
        .map(|entity| (entity.text.as_str(), entity.label.as_str()))
        .collect()
}

#[test]
fn words_become_entities() {
    let table: [(&str, &[(&str, &str)]); 9] = [
        ("", &[]),
        (" \u{feff}\r\n\t", &[]),
        (
            "Anna Rossi va a Roma.",
            &[("Anna Rossi", "PER"), ("Roma", "LOC")],
        ),
        ("Roma Nord, Roma", &[("Roma Nord", "LOC"), ("Roma", "LOC")]),
        ("Anna Anna", &[("Anna", "PER"), ("Anna", "PER")]),
        ("(Anna\r\nRossi)", &[("Anna\r\nRossi", "PER")]),
        ("Anna\r\n\r\nRoma", &[("Anna", "PER"), ("Roma", "LOC")]),
        ("🎉Anna\u{200d}🎉 Roma\0", &[]),
        (
            "e\u{301} Roma è 🇮🇹 Anna",
            &[("Roma", "LOC"), ("Anna", "PER")],
        ),
    ];
    for (text, expected) in table {
        let entities = recognizer(1, 512).recognize(text, "it").unwrap();
        assert_eq!(brief(&entities), expected, "{text:?}");
        for entity in &entities {
            assert_eq!(&text[entity.range()], entity.text);
            assert!(entity.score > 0.99);
        }
    }
}

#[test]
fn labels_and_scores_are_filtered() {
    let text = "Anna Rossi a Roma";
    let build = |builder| assemble(builder, 512, Fake::tagging(LABELS.len(), tag_of));
    let places = build(Recognizer::builder().labels([Label::Loc])).unwrap();
    assert_eq!(
        brief(&places.recognize(text, "it").unwrap()),
        [("Roma", "LOC")]
    );
    let certain = build(Recognizer::builder().min_score(1.0)).unwrap();
    assert_eq!(brief(&certain.recognize(text, "it").unwrap()), []);
    assert_eq!(certain.labels(), [Label::Per, Label::Loc]);
}

#[test]
fn options_without_sense_are_refused() {
    let table = [
        (
            Recognizer::builder().threads(0),
            "the option `threads` cannot be 0: give at least one thread",
        ),
        (
            Recognizer::builder().min_score(f32::NAN),
            "the option `min_score` cannot be NaN: give a probability from 0 to 1",
        ),
        (
            Recognizer::builder().labels([Label::Date]),
            "the option `labels` cannot be `DATE`: the model's labels are PER, LOC",
        ),
    ];
    for (builder, message) in table {
        let engine = Fake::tagging(LABELS.len(), tag_of);
        assert_eq!(
            assemble(builder, 512, engine).unwrap_err().to_string(),
            message
        );
    }
}

#[test]
fn mismatched_files_are_refused() {
    let build = |files| {
        let engine = Fake::tagging(LABELS.len(), tag_of);
        assemble_files(Recognizer::builder(), files, engine).unwrap_err()
    };

    let fewer = build(files(512, &["O", "B-PER", "I-PER"]));
    assert!(
        matches!(
            fewer,
            Error::LabelCountMismatch {
                labels: 3,
                outputs: 5,
                ..
            }
        ),
        "{fewer}"
    );
    assert!(fewer.to_string().contains("fake/config.json"));

    let scheme = build(files(512, &["A", "B", "C", "D", "E"]));
    assert!(matches!(scheme, Error::UnknownTagScheme { .. }), "{scheme}");

    let mut larger = files(512, &LABELS);
    larger.config.vocabulary_size = Some(4);
    let larger = build(larger).to_string();
    assert!(
        larger.contains("`fake/tokenizer.json` cannot be used: it has 7 tokens"),
        "{larger}"
    );

    let mut broken = files(512, &LABELS);
    broken.tokenizer = Cow::Borrowed(b"{\"version\":");
    let broken = build(broken);
    assert!(std::error::Error::source(&broken).is_some());
    assert!(
        broken
            .to_string()
            .contains("it is not a whole `tokenizer.json`"),
        "{broken}"
    );
}

#[test]
fn outputs_that_the_graph_does_not_tell_are_tried_out() {
    let wide = Fake::new(None, |encoding| Ok(Array2::zeros((encoding.ids.len(), 9))));
    let error = assemble(Recognizer::builder(), 512, wide).unwrap_err();
    assert!(
        matches!(
            error,
            Error::LabelCountMismatch {
                labels: 5,
                outputs: 9,
                ..
            }
        ),
        "{error}"
    );

    let failing = Fake::new(None, |_| {
        Err(Failure {
            problem: "no".into(),
            source: None,
        })
    });
    let error = assemble(Recognizer::builder(), 512, failing)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`fake/model.onnx` cannot be used: it fails on a first input"),
        "{error}"
    );
}

#[test]
fn faults_of_the_engine_are_errors_of_their_text() {
    let engine = Fake::new(Some(LABELS.len()), |encoding| {
        let rows = encoding.ids.len();
        match rows {
            3 => Ok(Array2::from_elem((rows, LABELS.len()), f32::NAN)),
            4 => Ok(Array2::zeros((rows + 1, LABELS.len()))),
            5 => Err(Failure {
                problem: "out of memory".into(),
                source: None,
            }),
            _ => Ok(Array2::zeros((rows, LABELS.len()))),
        }
    });
    let recognizer = assemble(Recognizer::builder().threads(2), 512, engine).unwrap();
    let texts = ["a b c d", "a", "a b", "a b c", "a b c d"];
    let results = recognizer.recognize_batch(&texts, "it");
    let messages: Vec<_> = results
        .iter()
        .map(|r| r.as_ref().map_or_else(|e| e.to_string(), |_| "fine".into()))
        .collect();
    assert_eq!(
        messages,
        [
            "fine",
            "rten failed on a window of 3 tokens: the model gave logits that are not finite numbers",
            "rten failed on a window of 4 tokens: the model gave logits for 5 tokens",
            "rten failed on a window of 5 tokens: out of memory",
            "fine",
        ]
    );
}

#[test]
fn languages_are_checked_for_each_text() {
    let recognizer = recognizer(2, 512);
    assert!(matches!(
        recognizer.recognize("Roma", "pl"),
        Err(Error::UnsupportedLanguage { supported, .. }) if supported.len() == 2
    ));
    assert!(matches!(
        recognizer.recognize("", "?"),
        Err(Error::InvalidLanguage { .. })
    ));
    let results = recognizer.recognize_batch(&["Roma", "Anna"], "de");
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(Result::is_err));
    assert_eq!(
        brief(&recognizer.recognize("Roma è bella.", "auto").unwrap()),
        [("Roma", "LOC")]
    );
}

#[test]
fn a_long_text_is_split_or_rejected() {
    let text = "vado a Roma e ".repeat(40);
    assert_eq!(recognizer(2, 16).recognize(&text, "it").unwrap().len(), 40);

    let engine = Fake::tagging(LABELS.len(), tag_of);
    let builder = Recognizer::builder().long_text(LongText::Reject);
    let rejecting = assemble(builder, 16, engine).unwrap();
    let error = rejecting.recognize(&text, "it").unwrap_err();
    assert!(
        matches!(
            error,
            Error::TextTooLong {
                bytes: 560,
                max_tokens: 16
            }
        ),
        "{error}"
    );
    assert_eq!(
        rejecting.recognize("Anna.\n\nRoma.", "it").unwrap().len(),
        2
    );
}

#[test]
fn a_name_across_the_cut_of_a_sentence_is_found_once() {
    for padding in 0..80 {
        let text = format!(
            "{}Anna Rossi Rossi Rossi {}",
            "x ".repeat(padding),
            "y ".repeat(60)
        );
        let entities = recognizer(1, 40).recognize(&text, "it").unwrap();
        assert_eq!(
            brief(&entities),
            [("Anna Rossi Rossi Rossi", "PER")],
            "after {padding} words"
        );
    }
}

#[test]
fn the_stream_reads_no_further_than_it_must() {
    let recognizer = recognizer(2, 512);
    let pulled = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&pulled);
    let endless = (0..).map(move |n| {
        counter.fetch_add(1, Ordering::SeqCst);
        if n % 3 == 1 {
            "Anna".to_owned()
        } else {
            format!("Roma {n}")
        }
    });
    let mut stream = recognizer.stream(endless, "it");
    assert_eq!(pulled.load(Ordering::SeqCst), 0);
    for n in 0..200 {
        let (text, result) = stream.next().unwrap();
        assert_eq!(result.unwrap().len(), 1);
        assert!(n % 3 == 1 || text == format!("Roma {n}"));
        assert!(pulled.load(Ordering::SeqCst) <= n + 1 + 64);
    }

    let big = "Roma ".repeat(100_000);
    let pulled = AtomicUsize::new(0);
    let endless = std::iter::repeat_with(|| {
        pulled.fetch_add(1, Ordering::SeqCst);
        &big
    });
    recognizer.stream(endless, "it").next();
    assert_eq!(pulled.load(Ordering::SeqCst), 1);

    let seen = Mutex::new(0);
    let slow = (0..5).map(|_| {
        *seen.lock().unwrap() += 1;
        "Roma"
    });
    let mut stream = recognizer.stream(slow, "it").read_ahead(1);
    stream.next();
    assert_eq!(*seen.lock().unwrap(), 1);
    assert_eq!(stream.count(), 4);
}

#[test]
fn an_error_does_not_end_the_stream() {
    let engine = Fake::new(Some(LABELS.len()), |encoding| match encoding.ids.len() {
        3 => Err(Failure {
            problem: "one word".into(),
            source: None,
        }),
        rows => Ok(Array2::zeros((rows, LABELS.len()))),
    });
    let recognizer = assemble(Recognizer::builder().threads(2), 512, engine).unwrap();
    let texts = ["a b", "a", "", "a b c", "b"];
    let results: Vec<_> = recognizer
        .stream(texts, "it")
        .map(|(text, r)| (text, r.is_ok()))
        .collect();
    assert_eq!(
        results,
        [
            ("a b", true),
            ("a", false),
            ("", true),
            ("a b c", true),
            ("b", false)
        ]
    );
}

#[test]
fn public_types_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Recognizer>();
    crosses::<RecognizerBuilder>();
    crosses::<Entity>();
    crosses::<Error>();
    crosses::<crate::Stream<std::vec::IntoIter<String>>>();
}

prop_compose! {
    /// A text of known and unknown words, separated by all sorts of things.
    fn texts()(parts in prop::collection::vec(
        (
            prop::sample::select(vec!["Anna", "Rossi", "Roma", "Nord", "va", "è", "🎉", "e\u{301}", ""]),
            prop::sample::select(vec![" ", ". ", "\n", "\n\n", "\r\n\r\n", "\u{a0}", ", ", "’", " «", "\0"]),
        ),
        0..80,
    )) -> String {
        parts.into_iter().flat_map(|(word, gap)| [word, gap]).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn entities_lie_in_the_text_in_order(text in texts(), max_tokens in 4usize..64) {
        let entities = recognizer(1, max_tokens).recognize(&text, "it").unwrap();
        let mut end = 0;
        for entity in entities {
            prop_assert!(entity.span.start >= end && !entity.span.is_empty());
            prop_assert_eq!(text.get(entity.range()), Some(entity.text.as_str()));
            prop_assert!((0.0..=1.0).contains(&entity.score));
            end = entity.span.end;
        }
    }

    #[test]
    fn batch_stream_and_threads_change_nothing(
        texts in prop::collection::vec(texts(), 0..6),
        threads in 1usize..5,
    ) {
        let alone: Vec<_> =
            texts.iter().map(|text| recognizer(1, 32).recognize(text, "it").unwrap()).collect();
        let many = recognizer(threads, 32);
        let batch: Vec<_> =
            many.recognize_batch(&texts, "it").into_iter().map(Result::unwrap).collect();
        prop_assert_eq!(&alone, &batch);
        let stream: Vec<_> = many.stream(&texts, "it").map(|(_, r)| r.unwrap()).collect();
        prop_assert_eq!(&alone, &stream);
    }
}
