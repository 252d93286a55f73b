//! A library that is asked for by name and is not there. On its own, because a process that has
//! loaded a library answers otherwise.
#![cfg(feature = "ort")]

use std::error::Error as _;
use std::path::Path;

use nerite::{Error, Recognizer, Runtime};

#[test]
fn a_missing_library_is_an_error_that_says_what_to_do() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert-wordpiece");
    let builder = Recognizer::builder()
        .model_dir(dir)
        .onnxruntime_library("nowhere/libonnxruntime.so");
    let error = builder
        .clone()
        .runtime(Runtime::OnnxRuntime)
        .build()
        .unwrap_err();
    assert!(matches!(
        error,
        Error::RuntimeUnavailable {
            runtime: Runtime::OnnxRuntime,
            ..
        }
    ));
    let message = error.to_string();
    for part in [
        "nowhere/libonnxruntime.so",
        "pip install onnxruntime",
        "ORT_DYLIB_PATH",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(error.source().is_some());

    #[cfg(feature = "rten")]
    assert_eq!(builder.build().unwrap().engine().runtime, Runtime::Rten);
}
