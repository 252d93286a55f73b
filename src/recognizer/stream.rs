//! Recognition of texts as they come.

use std::collections::VecDeque;

use super::Recognizer;
use crate::{Entity, Error};

/// Texts of an iterator with their entities, in order; made by [`Recognizer::stream`].
///
/// The stream reads ahead so that all threads have work: 32 texts a thread, or fewer once they
/// amount to 64 KiB a thread. For a source that gives texts slowly, such as a queue,
/// [`read_ahead(1)`](Self::read_ahead) answers each text at once.
#[derive(Debug)]
#[must_use = "a stream does nothing until it is iterated"]
pub struct Stream<I: Iterator> {
    recognizer: Recognizer,
    texts: I,
    lang: String,
    read_ahead: usize,
    ready: VecDeque<Answered<I::Item>>,
}

/// A text with its result.
type Answered<T> = (T, Result<Vec<Entity>, Error>);

const TEXTS_PER_THREAD: usize = 32;
const BYTES_PER_THREAD: usize = 64 * 1024;

impl<I: Iterator> Stream<I> {
    pub(super) fn new(recognizer: Recognizer, texts: I, lang: &str) -> Self {
        let read_ahead = TEXTS_PER_THREAD * recognizer.pipeline.threads;
        Self {
            recognizer,
            texts,
            lang: lang.to_owned(),
            read_ahead,
            ready: VecDeque::new(),
        }
    }

    /// Reads at most this many texts before it gives the first of them; at least one.
    pub fn read_ahead(mut self, texts: usize) -> Self {
        self.read_ahead = texts.max(1);
        self
    }
}

impl<I> Stream<I>
where
    I: Iterator,
    I::Item: AsRef<str>,
{
    /// Reads and recognises the next texts.
    fn refill(&mut self) {
        let mut texts = Vec::new();
        let mut bytes = 0;
        let limit = BYTES_PER_THREAD * self.recognizer.pipeline.threads;
        while texts.len() < self.read_ahead && bytes < limit {
            let Some(text) = self.texts.next() else { break };
            bytes += text.as_ref().len();
            texts.push(text);
        }
        let results = self.recognizer.recognize_batch(&texts, &self.lang);
        self.ready.extend(texts.into_iter().zip(results));
    }
}

impl<I> Iterator for Stream<I>
where
    I: Iterator,
    I::Item: AsRef<str>,
{
    type Item = Answered<I::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            self.refill();
        }
        self.ready.pop_front()
    }
}
