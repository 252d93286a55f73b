//! Model directories: what loads, and what is said of those that do not.
#![cfg(feature = "rten")]

use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};

use nerite::{Error, Recognizer, Runtime};
use tempfile::TempDir;

fn fixture(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(model)
}

/// A copy of a fixture to break.
fn copy(model: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.onnx",
    ] {
        let source = fixture(model).join(name);
        if source.exists() {
            fs::copy(source, dir.path().join(name)).unwrap();
        }
    }
    dir
}

fn load(dir: &Path) -> Result<Recognizer, Error> {
    Recognizer::builder()
        .model_dir(dir)
        .runtime(Runtime::Rten)
        .build()
}

#[test]
fn every_kind_of_export_loads_and_recognises() {
    let models = [
        "bert-wordpiece",
        "distilbert-uncased",
        "xlmr-unigram",
        "roberta-bpe",
        "deberta-io",
    ];
    let text = "Mario Rossi lavora alla Banca Lombarda di Milano.";
    for model in models {
        let recognizer = load(&fixture(model)).unwrap();
        assert!(recognizer.languages().is_empty());
        let entities = recognizer.recognize(text, "it").unwrap();
        let found: Vec<_> = entities
            .iter()
            .map(|e| (e.text.as_str(), e.label.as_str()))
            .collect();
        let expected = [
            ("Mario Rossi", "PER"),
            ("Banca Lombarda", "ORG"),
            ("Milano", "LOC"),
        ];
        assert_eq!(found, expected, "{model}");
    }
}

#[test]
fn missing_files_are_named() {
    for name in ["config.json", "tokenizer.json", "model.onnx"] {
        let dir = copy("bert-wordpiece");
        fs::remove_file(dir.path().join(name)).unwrap();
        match load(dir.path()) {
            Err(Error::ModelFileMissing { path, .. }) => assert_eq!(path, dir.path().join(name)),
            other => panic!("{name}: {other:?}"),
        }
    }
    let error = load(Path::new("no/such/folder")).unwrap_err().to_string();
    assert!(
        error.starts_with("`no/such/folder/config.json` is missing:"),
        "{error}"
    );
}

#[test]
fn broken_files_are_named_with_their_source() {
    for (name, keep) in [
        ("config.json", 20),
        ("tokenizer.json", 100),
        ("tokenizer.json", 0),
        ("model.onnx", 5_000),
        ("model.onnx", 100),
    ] {
        let dir = copy("bert-wordpiece");
        let path = dir.path().join(name);
        let content = fs::read(&path).unwrap();
        fs::write(&path, &content[..keep]).unwrap();
        match load(dir.path()) {
            Err(error @ Error::ModelFileInvalid { .. }) => {
                assert!(
                    error.to_string().contains(&*path.to_string_lossy()),
                    "{error}"
                );
                assert!(error.source().is_some(), "{error}");
            }
            other => panic!("{name} of {keep} bytes: {other:?}"),
        }
    }
}

#[test]
fn an_empty_graph_is_refused() {
    let dir = copy("bert-wordpiece");
    fs::write(dir.path().join("model.onnx"), "").unwrap();
    assert!(matches!(
        load(dir.path()),
        Err(Error::ModelFileInvalid { .. })
    ));
}

/// Rewrites the copy's `config.json`.
fn with_config(edit: impl Fn(&mut serde_json::Value)) -> Result<Recognizer, Error> {
    let dir = copy("bert-wordpiece");
    let path = dir.path().join("config.json");
    let mut config = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut config);
    fs::write(&path, config.to_string()).unwrap();
    load(dir.path())
}

#[test]
fn configurations_that_do_not_fit_are_refused() {
    let fewer =
        with_config(|config| config["id2label"] = serde_json::json!({"0": "O", "1": "B-PER"}));
    assert!(
        matches!(
            fewer,
            Err(Error::LabelCountMismatch {
                labels: 2,
                outputs: 9,
                ..
            })
        ),
        "{fewer:?}"
    );

    let nameless = with_config(|config| {
        for id in 0..9 {
            config["id2label"][id.to_string()] = format!("LABEL_{id}").into();
        }
    });
    assert!(
        matches!(nameless, Err(Error::UnknownTagScheme { .. })),
        "{nameless:?}"
    );

    let none = with_config(|config| config["id2label"] = serde_json::Value::Null);
    let message = none.unwrap_err().to_string();
    assert!(message.contains("it has no `id2label`"), "{message}");

    let small = with_config(|config| config["vocab_size"] = 10.into());
    assert!(small.unwrap_err().to_string().contains("tokenizer.json"));
}

#[test]
fn languages_of_the_configuration_are_the_only_ones() {
    let recognizer = with_config(|config| config["languages"] = serde_json::json!(["it", "eng"]));
    let recognizer = recognizer.unwrap();
    let tags: Vec<_> = recognizer
        .languages()
        .iter()
        .map(|language| language.as_str())
        .collect();
    assert_eq!(tags, ["it", "en"]);
    assert!(recognizer.recognize("Roma", "en-GB").is_ok());
    let error = recognizer.recognize("Roma", "fr").unwrap_err().to_string();
    assert_eq!(
        error,
        "this model does not know the language `fr`; it knows it, en"
    );
}

/// Found out when it is loaded if `config.json` tells the size of the vocabulary, and otherwise by
/// the first token that the model does not know.
#[test]
fn the_tokenizer_of_another_model_is_refused() {
    let dir = copy("bert-wordpiece");
    fs::copy(
        fixture("roberta-bpe").join("tokenizer.json"),
        dir.path().join("tokenizer.json"),
    )
    .unwrap();
    let refused = load(dir.path()).unwrap_err();
    assert!(
        matches!(&refused, Error::ModelFileInvalid { path, .. } if path.ends_with("tokenizer.json")),
        "{refused}"
    );

    let path = dir.path().join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("vocab_size");
    fs::write(&path, config.to_string()).unwrap();
    let recognizer = load(dir.path()).unwrap();
    let failed = recognizer
        .recognize("Mario Rossi lavora alla Banca Lombarda di Milano.", "it")
        .unwrap_err();
    assert!(matches!(failed, Error::Inference { .. }), "{failed}");
    assert!(failed.source().is_some());
}
