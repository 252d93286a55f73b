//! A program that uses `ort` itself, and owns the one environment that the process may have. Needs
//! `ORT_DYLIB_PATH`; on its own, because every other process lets nerite make the environment.
#![cfg(all(feature = "ort", feature = "rten"))]

use std::env;
use std::path::Path;

use nerite::{Error, Recognizer, Runtime};

#[test]
fn the_hosts_environment_is_used() {
    let Some(library) = env::var_os("ORT_DYLIB_PATH") else {
        assert!(
            env::var_os("NERITE_REQUIRE_ORT").is_none(),
            "ORT_DYLIB_PATH is not set"
        );
        eprintln!("skipped: ORT_DYLIB_PATH is not set");
        return;
    };
    let environment = ort::init_from(library).unwrap().build().unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert-wordpiece");
    let builder = Recognizer::builder().model_dir(dir);
    let text = "Mario Rossi lavora a Milano.";

    let alone = builder
        .clone()
        .runtime(Runtime::OnnxRuntime)
        .build()
        .unwrap_err();
    assert!(matches!(alone, Error::RuntimeUnavailable { .. }));
    assert!(alone.to_string().contains("with_environment"), "{alone}");
    let fallback = builder.clone().build().unwrap();
    assert_eq!(fallback.engine().runtime, Runtime::Rten);

    let hosted = builder.with_environment(&environment).build().unwrap();
    assert_eq!(hosted.engine().runtime, Runtime::OnnxRuntime);
    let spans = |recognizer: &Recognizer| -> Vec<_> {
        let entities = recognizer.recognize(text, "it").unwrap();
        entities
            .into_iter()
            .map(|entity| (entity.span, entity.label))
            .collect()
    };
    assert!(!spans(&hosted).is_empty());
    assert_eq!(spans(&hosted), spans(&fallback));
}
