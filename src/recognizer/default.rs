//! The one call that needs nothing else.

use std::sync::{Mutex, PoisonError};

use super::Recognizer;
use crate::{Entity, Error};

/// Recognises the entities of `text`, which is written in `lang`, with the default model.
///
/// The first call loads the model; later ones share it. For other models and options, see
/// [`Recognizer`], whose [`recognize`](Recognizer::recognize) says what `lang` may be and what is
/// returned.
///
/// # Errors
///
/// As [`RecognizerBuilder::build`](crate::RecognizerBuilder::build) and [`Recognizer::recognize`]; a load that failed is tried again
/// by the next call.
///
/// ```
/// let text = "Arthur Mensch ha fondato Mistral AI a Parigi.";
/// for entity in nerite::recognize(text, "it")? {
///     assert_eq!(&text[entity.range()], entity.text);
///     println!("{entity}");
/// }
/// # Ok::<(), nerite::Error>(())
/// ```
pub fn recognize(text: &str, lang: &str) -> Result<Vec<Entity>, Error> {
    static DEFAULT: Mutex<Option<Recognizer>> = Mutex::new(None);
    let recognizer = {
        let mut default = DEFAULT.lock().unwrap_or_else(PoisonError::into_inner);
        match default.as_ref() {
            Some(recognizer) => recognizer.clone(),
            None => default.insert(Recognizer::new()?).clone(),
        }
    };
    recognizer.recognize(text, lang)
}
