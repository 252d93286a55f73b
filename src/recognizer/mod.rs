//! The façade: texts in, entities out.

mod builder;
#[cfg(feature = "embedded-model")]
mod default;
mod profile;
mod stream;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{panic, thread};

pub use builder::RecognizerBuilder;
#[cfg(feature = "embedded-model")]
pub use default::recognize;
pub use profile::Profile;
pub use stream::Stream;

use self::profile::timed;
use crate::decode::Decoder;
use crate::engine::{self, Engine, EngineInfo};
use crate::entity::{Entity, Label};
use crate::language::{Language, Supported};
use crate::text::{self, Window};
use crate::tokens::Encoder;
use crate::{Error, TagScheme};

/// A loaded model, ready to recognise entities from any number of threads.
///
/// Clones are cheap and share the model. The same text gives the same entities whatever else is
/// recognised with it, before it or at the same time, and whatever the number of threads.
///
/// ```
/// use nerite::{Label, Recognizer};
///
/// let recognizer = Recognizer::builder().labels([Label::Org, Label::Loc]).threads(1).build()?;
/// let entities = recognizer.recognize("La Commissione europea multa Apple.", "it")?;
/// assert_eq!(entities[0].text, "Commissione europea");
/// assert_eq!(entities[0].label, Label::Org);
/// # Ok::<(), nerite::Error>(())
/// ```
#[derive(Clone)]
pub struct Recognizer {
    pipeline: Arc<Pipeline>,
}

/// The rooms, joined.
struct Pipeline {
    languages: Supported,
    encoder: Encoder,
    engine: Box<dyn Engine>,
    decoder: Decoder,
    long_text: LongText,
    threads: usize,
}

/// What to do with a text that is longer than what the model takes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LongText {
    /// Split the text into windows that end with sentences and never cross a blank line. Takes
    /// texts of any length, in memory that does not grow with them.
    #[default]
    Split,
    /// Show the model each text as a whole, and refuse those that do not fit with
    /// [`Error::TextTooLong`].
    Reject,
}

/// Windows a thread that are in work together; between two such rounds the threads wait for one
/// another, so few would leave them idle, and many would hold much text in memory.
const ROUND: usize = 64;

/// A window of a text, to be recognised.
struct Task<'t> {
    /// Which of the texts it belongs to.
    job: usize,
    text: &'t str,
    lang: Language,
    window: Window,
}

impl Recognizer {
    /// Loads the default model with the default options.
    ///
    /// # Errors
    ///
    /// As [`RecognizerBuilder::build`].
    #[cfg(feature = "embedded-model")]
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Chooses the model and the options.
    pub fn builder() -> RecognizerBuilder {
        RecognizerBuilder::default()
    }

    /// Recognises the entities of `text`, in the order in which they begin; they do not overlap.
    ///
    /// `lang` is a BCP 47 tag (`it`, `it-IT`, `ita`) or `auto`, which looks at the text and falls
    /// back to the model's first language. It selects the rules for sentences and for the
    /// boundaries of names.
    ///
    /// Offsets are bytes of `text`, whatever characters it holds. Any `&str` is taken: an empty one
    /// has no entities, and with [`LongText::Split`] there is no limit of length. A text of several
    /// windows is recognised on all threads; a shorter one on the caller's.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidLanguage`] and [`Error::UnsupportedLanguage`] for `lang`,
    /// [`Error::TextTooLong`] under [`LongText::Reject`], and [`Error::Tokenization`] or
    /// [`Error::Inference`] if the model fails.
    pub fn recognize(&self, text: &str, lang: &str) -> Result<Vec<Entity>, Error> {
        let lang = self.pipeline.languages.resolve(lang, text)?;
        self.pipeline
            .recognize(&[(text, lang)])
            .pop()
            .expect("one result for one text")
    }

    /// Recognises several texts on all threads; the results are in the order of the texts, each the
    /// one that [`recognize`](Self::recognize) gives.
    ///
    /// ```
    /// # let recognizer = nerite::Recognizer::new()?;
    /// let texts = ["Enel cresce.", "Nokia is Finnish."];
    /// let results = recognizer.recognize_batch(&texts, "auto");
    /// assert_eq!(results.len(), 2);
    /// let entities = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(entities[1], recognizer.recognize(texts[1], "en")?);
    /// # Ok::<(), nerite::Error>(())
    /// ```
    pub fn recognize_batch<T: AsRef<str>>(
        &self,
        texts: &[T],
        lang: &str,
    ) -> Vec<Result<Vec<Entity>, Error>> {
        let mut results = Vec::with_capacity(texts.len());
        let mut jobs = Vec::with_capacity(texts.len());
        for text in texts.iter().map(AsRef::as_ref) {
            match self.pipeline.languages.resolve(lang, text) {
                Ok(lang) => {
                    jobs.push((text, lang));
                    results.push(None);
                }
                Err(e) => results.push(Some(Err(e))),
            }
        }
        let mut recognized = self.pipeline.recognize(&jobs).into_iter();
        let mut next = || recognized.next().expect("one result for one job");
        results
            .into_iter()
            .map(|refused| refused.unwrap_or_else(&mut next))
            .collect()
    }

    /// Recognises the texts of an iterator as they come, on all threads, and gives each back with
    /// its result, in order.
    ///
    /// Nothing is read before the stream is, and never more than a bounded number of texts ahead
    /// (see [`Stream`]), so that memory does not grow with the number of texts. An error belongs to
    /// its text; the stream goes on after it.
    ///
    /// ```
    /// # let recognizer = nerite::Recognizer::new()?;
    /// let lines = "Enel cresce.\n\nNokia assume a Torino.".lines();
    /// for (line, result) in recognizer.stream(lines, "it") {
    ///     for entity in result? {
    ///         assert_eq!(&line[entity.range()], entity.text);
    ///     }
    /// }
    /// # Ok::<(), nerite::Error>(())
    /// ```
    pub fn stream<I>(&self, texts: I, lang: &str) -> Stream<I::IntoIter>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        Stream::new(self.clone(), texts.into_iter(), lang)
    }

    /// The engine that runs the model.
    pub fn engine(&self) -> &EngineInfo {
        self.pipeline.engine.info()
    }

    /// The languages of the model, its main one first; empty if the model does not say, and then
    /// every language is taken.
    pub fn languages(&self) -> &[Language] {
        self.pipeline.languages.as_slice()
    }

    /// The types of entity that the model knows, whether kept or not.
    pub fn labels(&self) -> &[Label] {
        self.pipeline.decoder.tags.types()
    }

    /// How the model's labels mark the words of an entity.
    pub fn tag_scheme(&self) -> TagScheme {
        self.pipeline.decoder.tags.scheme()
    }
}

impl fmt::Debug for Recognizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recognizer")
            .field("engine", self.engine())
            .field("languages", &self.languages())
            .field("labels", &self.labels())
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// The entities of each text, or its first error.
    fn recognize(&self, jobs: &[(&str, Language)]) -> Vec<Result<Vec<Entity>, Error>> {
        let mut results: Vec<_> = jobs.iter().map(|_| Ok(Vec::new())).collect();
        let mut tasks = jobs.iter().enumerate().flat_map(|(job, &(text, lang))| {
            self.windows(text, lang).map(move |window| Task {
                job,
                text,
                lang,
                window,
            })
        });
        loop {
            let round: Vec<Task> = tasks.by_ref().take(ROUND * self.threads).collect();
            if round.is_empty() {
                return results;
            }
            for (task, found) in round.iter().zip(self.run(&round)) {
                let result: &mut Result<Vec<Entity>, Error> = &mut results[task.job];
                match (result.as_mut(), found) {
                    (Ok(entities), Ok(found)) => append(entities, found),
                    (Ok(_), Err(e)) => *result = Err(e),
                    (Err(_), _) => {}
                }
            }
        }
    }

    fn windows<'t>(&self, text: &'t str, lang: Language) -> Box<dyn Iterator<Item = Window> + 't> {
        match self.long_text {
            LongText::Split => Box::new(text::windows(text, lang)),
            LongText::Reject => {
                let whole = 0..text.len();
                Box::new(std::iter::once(Window {
                    range: whole.clone(),
                    owned: whole,
                }))
            }
        }
    }

    /// Runs the tasks side by side on this thread and, if there are more than one, on others.
    fn run(&self, tasks: &[Task]) -> Vec<Result<Vec<Entity>, Error>> {
        let next = AtomicUsize::new(0);
        let alone = tasks.len() == 1;
        let work = || {
            let mine = std::iter::from_fn(|| {
                let at = next.fetch_add(1, Ordering::Relaxed);
                tasks
                    .get(at)
                    .map(|task| (at, self.run_task(task, alone, &mut Profile::default())))
            });
            mine.collect::<Vec<_>>()
        };
        let helpers = self.threads.min(tasks.len()) - 1;
        let mut done = thread::scope(|scope| {
            let helpers: Vec<_> = (0..helpers)
                .map_while(|index| {
                    let builder = thread::Builder::new().name(format!("nerite-{index}"));
                    let helper = builder.spawn_scoped(scope, work);
                    helper
                        .inspect_err(|e| tracing::warn!(error = %e, "cannot start a thread"))
                        .ok()
                })
                .collect();
            let mut done = work();
            for helper in helpers {
                done.extend(
                    helper
                        .join()
                        .unwrap_or_else(|panic| panic::resume_unwind(panic)),
                );
            }
            done
        });
        done.sort_unstable_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    }

    /// The entities that one window owns; adds to `profile` what it took to find them. One that is
    /// `alone` may use all threads.
    fn run_task(
        &self,
        task: &Task,
        alone: bool,
        profile: &mut Profile,
    ) -> Result<Vec<Entity>, Error> {
        let Window { range, owned } = &task.window;
        let window = &task.text[range.clone()];
        let encodings = timed(&mut profile.tokenize, || self.encoder.encode(window));
        let encodings = encodings.map_err(|source| Error::Tokenization {
            start: range.start,
            end: range.end,
            source,
        })?;
        if encodings.len() > 1 && self.long_text == LongText::Reject {
            let max_tokens = self.encoder.max_tokens();
            return Err(Error::TextTooLong {
                bytes: task.text.len(),
                max_tokens,
            });
        }
        let mut entities = Vec::new();
        profile.windows += 1;
        for encoding in encodings
            .iter()
            .filter(|encoding| !encoding.words.is_empty())
        {
            profile.tokens += encoding.ids.len();
            let logits = timed(&mut profile.infer, || {
                engine::run(self.engine.as_ref(), encoding, alone)
            })?;
            let say = encoding.owned.start + range.start..encoding.owned.end + range.start;
            let say = say.start.max(owned.start)..say.end.min(owned.end);
            let found = timed(&mut profile.decode, || {
                let (text, range) = (task.text, range.clone());
                self.decoder
                    .decode(logits.view(), encoding, text, range, say, task.lang)
            });
            append(&mut entities, found);
        }
        Ok(entities)
    }
}

/// Adds the entities of the next window; one that begins inside the last entity, whose window saw
/// all of it, is the rest of that one.
fn append(entities: &mut Vec<Entity>, found: Vec<Entity>) {
    let end = entities.last().map_or(0, |last| last.span.end);
    entities.extend(found.into_iter().filter(|entity| entity.span.start >= end));
}
