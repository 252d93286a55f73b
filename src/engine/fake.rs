//! An engine whose logits are scripted, to test the pipeline without weights.

use ndarray::Array2;

use super::{Engine, EngineInfo, Failure, Runtime};
use crate::tokens::Encoding;

type Script = dyn Fn(&Encoding) -> Result<Array2<f32>, Failure> + Send + Sync;

pub(crate) struct Fake {
    info: EngineInfo,
    outputs: Option<usize>,
    script: Box<Script>,
}

impl Fake {
    /// An engine that answers each input with `script`.
    pub(crate) fn new(
        outputs: Option<usize>,
        script: impl Fn(&Encoding) -> Result<Array2<f32>, Failure> + Send + Sync + 'static,
    ) -> Self {
        let info = EngineInfo {
            runtime: Runtime::Rten,
            library: None,
            threads: 2,
        };
        Self {
            info,
            outputs,
            script: Box::new(script),
        }
    }

    /// An engine that is sure of one tag a token: the one that `tag_of` gives for its id.
    pub(crate) fn tagging(
        labels: usize,
        tag_of: impl Fn(i64) -> usize + Send + Sync + 'static,
    ) -> Self {
        Self::new(Some(labels), move |encoding| {
            Ok(Array2::from_shape_fn(
                (encoding.ids.len(), labels),
                |(token, label)| {
                    if tag_of(encoding.ids[token]) == label {
                        12.0
                    } else {
                        0.0
                    }
                },
            ))
        })
    }
}

impl Engine for Fake {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn outputs(&self) -> Option<usize> {
        self.outputs
    }

    fn run(&self, input: &Encoding, _: bool) -> Result<Array2<f32>, Failure> {
        (self.script)(input)
    }
}
