//! Where the time goes.

use std::time::{Duration, Instant};

use super::{Recognizer, Task, append};
use crate::{Entity, Error};

/// What recognising a text took, room by room; made by [`Recognizer::profile`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Windows that the text was split into.
    pub windows: usize,
    /// Tokens that the model was run on, special tokens and overlaps included.
    pub tokens: usize,
    /// Time to split the text.
    pub split: Duration,
    /// Time to make tokens of the windows.
    pub tokenize: Duration,
    /// Time in the engine, copies in and out included.
    pub infer: Duration,
    /// Time to make entities of the logits.
    pub decode: Duration,
}

impl Profile {
    /// The time of all rooms together.
    pub fn total(&self) -> Duration {
        self.split + self.tokenize + self.infer + self.decode
    }
}

/// Adds the time that `job` takes to `sum`.
pub(super) fn timed<R>(sum: &mut Duration, job: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = job();
    *sum += start.elapsed();
    result
}

impl Recognizer {
    /// Recognises `text` as [`recognize`](Self::recognize) does, on the caller's thread alone, and
    /// tells where the time went.
    ///
    /// # Errors
    ///
    /// As [`recognize`](Self::recognize).
    ///
    /// ```
    /// # let recognizer = nerite::Recognizer::new()?;
    /// let (entities, profile) = recognizer.profile("Enel cresce a Lecce.", "it")?;
    /// assert_eq!(entities.len(), 2);
    /// println!("{:.0} % in the engine", 100.0 * profile.infer.div_duration_f64(profile.total()));
    /// # Ok::<(), nerite::Error>(())
    /// ```
    pub fn profile(&self, text: &str, lang: &str) -> Result<(Vec<Entity>, Profile), Error> {
        let pipeline = &self.pipeline;
        let mut profile = Profile::default();
        let mut entities = Vec::new();
        let lang = pipeline.languages.resolve(lang, text)?;
        let mut windows = pipeline.windows(text, lang);
        while let Some(window) = timed(&mut profile.split, || windows.next()) {
            let task = Task {
                job: 0,
                text,
                lang,
                window,
            };
            append(
                &mut entities,
                pipeline.run_task(&task, false, &mut profile)?,
            );
        }
        Ok((entities, profile))
    }
}
