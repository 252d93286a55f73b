//! The one ONNX Runtime environment that a process may have.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use super::library;
use crate::error::BoxError;
use crate::{Error, Runtime};

/// The environment that we made, and the library that it runs on. It is kept for the life of the
/// process: ONNX Runtime allows one environment a process, ever, even after it is released.
static OURS: Mutex<Option<(Environment, PathBuf)>> = Mutex::new(None);

const HOW_TO_GET_IT: &str = "install it with `pip install onnxruntime`, or set ORT_DYLIB_PATH to \
                             the shared library";

/// The host's environment, or ours, made of the first ONNX Runtime library that can be loaded.
pub(super) fn get(
    host: Option<&Environment>,
    explicit: Option<&Path>,
) -> Result<(Environment, Option<PathBuf>), Error> {
    if let Some(environment) = host {
        return Ok((environment.clone(), None));
    }
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((environment, library)) = ours.as_ref() {
        if let Some(other) = explicit.filter(|path| path != library) {
            let problem = format!(
                "this process has loaded {} already and cannot load {} too",
                library.display(),
                other.display()
            );
            return Err(unavailable(problem, None));
        }
        return Ok((environment.clone(), Some(library.clone())));
    }
    let (environment, library) = load(&library::candidates(explicit))?;
    tracing::info!(library = %library.display(), "loaded ONNX Runtime");
    *ours = Some((environment.clone(), library.clone()));
    Ok((environment, Some(library)))
}

/// Tries the candidates in turn.
fn load(candidates: &[PathBuf]) -> Result<(Environment, PathBuf), Error> {
    let mut tried = Vec::new();
    let mut last = None;
    for candidate in candidates {
        match ort::init_from(candidate) {
            Ok(builder) => {
                let environment = builder.with_name("nerite").with_telemetry(false).build();
                let environment = environment.map_err(|e| {
                    let problem = "the process has an ONNX Runtime environment already; \
                                   pass it to `RecognizerBuilder::with_environment`";
                    unavailable(problem.to_owned(), Some(e.into()))
                })?;
                // The library would otherwise format every step that it takes.
                environment.set_log_level(LogLevel::Warning);
                return Ok((environment, candidate.clone()));
            }
            Err(e) => {
                tracing::debug!(library = %candidate.display(), error = %e, "cannot load");
                tried.push(format!("{} ({e})", candidate.display()));
                last = Some(Box::new(e) as BoxError);
            }
        }
    }
    let problem = format!(
        "no library could be loaded; {HOW_TO_GET_IT}; tried: {}",
        tried.join("; ")
    );
    Err(unavailable(problem, last))
}

fn unavailable(problem: String, source: Option<BoxError>) -> Error {
    Error::RuntimeUnavailable {
        runtime: Runtime::OnnxRuntime,
        problem,
        source,
    }
}
