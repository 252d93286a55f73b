//! ONNX Runtime beside rten, where its library is found. With `NERITE_REQUIRE_ORT=1`, as on CI, it
//! must be.
#![cfg(all(feature = "ort", feature = "rten", feature = "embedded-model"))]

use std::path::Path;
use std::{env, fs};

use nerite::evaluation::{AnnotatedText, Evaluation};
use nerite::{Entity, Error, Recognizer, RecognizerBuilder, Runtime};

/// A recogniser on ONNX Runtime, or `None`, with the reason printed, where there is no library.
fn onnxruntime(builder: RecognizerBuilder) -> Option<Recognizer> {
    match builder.runtime(Runtime::OnnxRuntime).build() {
        Ok(recognizer) => Some(recognizer),
        Err(e @ Error::RuntimeUnavailable { .. })
            if env::var_os("NERITE_REQUIRE_ORT").is_none() =>
        {
            eprintln!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

/// The same recogniser on ONNX Runtime and on rten.
fn both(builder: RecognizerBuilder) -> Option<[Recognizer; 2]> {
    let rten = builder.clone().runtime(Runtime::Rten).build().unwrap();
    Some([onnxruntime(builder)?, rten])
}

fn articles() -> Vec<AnnotatedText> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/it");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .map(|path| AnnotatedText::from_markup(&fs::read_to_string(path).unwrap()).unwrap())
        .collect()
}

#[test]
fn both_engines_find_the_same_entities() {
    let Some([ort, rten]) = both(Recognizer::builder()) else {
        return;
    };
    let (mut same, mut all) = (0, 0);
    let mut scores = [&ort, &rten].map(|recognizer| Evaluation::new(recognizer.labels()));
    for article in articles() {
        let [a, b] = [&ort, &rten].map(|r| r.recognize(&article.text, "it").unwrap());
        let has = |entity: &&Entity| {
            b.iter()
                .any(|other| other.span == entity.span && other.label == entity.label)
        };
        same += a.iter().filter(has).count();
        all += a.len().max(b.len());
        scores[0].add(&article, &a);
        scores[1].add(&article, &b);
    }
    let [a, b] = scores.map(|score| score.micro().span.f1());
    assert!(
        same as f64 >= 0.985 * all as f64,
        "{same} of {all} entities are the same"
    );
    assert!(
        (a - b).abs() < 1.0,
        "F1 is {a:.2} on ONNX Runtime and {b:.2} on rten"
    );
}

#[test]
fn the_article_of_the_examples_has_the_same_entities_on_both() {
    let Some([ort, rten]) = both(Recognizer::builder()) else {
        return;
    };
    let article = include_str!("../examples/article.it.txt");
    let [a, b] = [&ort, &rten].map(|recognizer| {
        let entities = recognizer.recognize(article, "it").unwrap();
        entities
            .into_iter()
            .map(|entity| (entity.span, entity.label))
            .collect::<Vec<_>>()
    });
    assert_eq!(a, b);
}

#[test]
fn every_kind_of_export_runs_on_both() {
    for model in [
        "bert-wordpiece",
        "distilbert-uncased",
        "xlmr-unigram",
        "roberta-bpe",
        "deberta-io",
    ] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(model);
        let Some([ort, rten]) = both(Recognizer::builder().model_dir(&dir)) else {
            return;
        };
        for text in [
            "Mario Rossi lavora alla Banca Lombarda di Milano.",
            "Zoë, 東京 🎉",
            "",
        ] {
            let [a, b] = [&ort, &rten].map(|r| r.recognize(text, "it").unwrap());
            let spans = |entities: &[Entity]| -> Vec<_> {
                entities.iter().map(|e| (e.span, e.label.clone())).collect()
            };
            assert_eq!(spans(&a), spans(&b), "{model} {text:?}");
        }
    }
}

#[test]
fn a_broken_graph_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert-wordpiece");
    for name in ["config.json", "tokenizer.json"] {
        fs::copy(fixture.join(name), dir.path().join(name)).unwrap();
    }
    let graph = fs::read(fixture.join("model.onnx")).unwrap();
    fs::write(dir.path().join("model.onnx"), &graph[..graph.len() / 2]).unwrap();
    if onnxruntime(Recognizer::builder()).is_none() {
        return;
    }
    let builder = Recognizer::builder()
        .model_dir(dir.path())
        .runtime(Runtime::OnnxRuntime);
    let error = builder.build().unwrap_err();
    assert!(
        matches!(&error, Error::ModelFileInvalid { path, .. } if path.ends_with("model.onnx")),
        "{error}"
    );
}

#[test]
fn threads_share_sessions_and_change_nothing() {
    let Some(ort) = onnxruntime(Recognizer::builder().threads(2)) else {
        return;
    };
    let articles = articles();
    let texts: Vec<_> = articles
        .iter()
        .take(3)
        .map(|article| &article.text)
        .collect();
    let alone: Vec<_> = texts
        .iter()
        .map(|text| ort.recognize(text, "it").unwrap())
        .collect();
    std::thread::scope(|scope| {
        for caller in 0..6 {
            let (ort, texts, alone) = (&ort, &texts, &alone);
            scope.spawn(move || {
                let at = caller % texts.len();
                assert_eq!(ort.recognize(texts[at], "it").unwrap(), alone[at]);
            });
        }
    });
}

/// A sentence alone is spread over the threads, on ONNX Runtime after a number of them.
#[test]
fn a_sentence_alone_gives_the_same_on_any_number_of_threads() {
    let articles = articles();
    let sentences: Vec<_> = articles
        .iter()
        .flat_map(|article| article.text.split_inclusive(". "))
        .take(40)
        .collect();
    let builder = |threads| Recognizer::builder().threads(threads);
    let rten = |threads| builder(threads).runtime(Runtime::Rten).build().unwrap();
    let ort = onnxruntime(builder(1)).zip(onnxruntime(builder(3)));
    for (one, three) in std::iter::once((rten(1), rten(3))).chain(ort) {
        for sentence in &sentences {
            assert_eq!(
                three.recognize(sentence, "it").unwrap(),
                one.recognize(sentence, "it").unwrap(),
                "{} on {sentence}",
                one.engine()
            );
        }
    }
}

#[test]
fn auto_takes_onnxruntime_where_it_is() {
    let auto = Recognizer::new().unwrap().engine().runtime;
    match onnxruntime(Recognizer::builder()) {
        Some(ort) => {
            assert_eq!(auto, Runtime::OnnxRuntime);
            assert!(ort.engine().library.is_some());
            let other = Recognizer::builder()
                .runtime(Runtime::OnnxRuntime)
                .onnxruntime_library("another/libonnxruntime.so");
            assert!(matches!(
                other.build(),
                Err(Error::RuntimeUnavailable { .. })
            ));
        }
        None => assert_eq!(auto, Runtime::Rten),
    }
}
