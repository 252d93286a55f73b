//! nerite as a contender of `compare.py`: `contender ENGINE THREADS LANG TASK.json [MODEL]`
//! prints
//! what `contender.py` prints, measured the same way; without a model it takes the embedded one.

mod measure;

use std::error::Error;
use std::time::Instant;

use measure::{Span, Task};
use nerite::{Entity, Recognizer, Runtime};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    let mut next = |what: &str| arguments.next().ok_or(format!("{what} is missing"));
    let engine: Runtime = next("the engine")?.parse()?;
    let threads: usize = next("the number of threads")?.parse()?;
    let lang = next("the language")?;
    let task = Task::read(&next("the task")?)?;

    let start = Instant::now();
    let mut builder = Recognizer::builder().runtime(engine).threads(threads);
    if let Ok(model) = next("the model") {
        builder = builder.model_dir(model);
    }
    let recognizer = builder.build()?;
    recognizer.recognize(&task.sentences[0], &lang)?;
    let ready = start.elapsed();

    let outcome = measure::measure(&task, ready, &["batch"], |texts, _| {
        let found = recognizer.recognize_batch(texts, &lang);
        let of_text = texts.iter().zip(found);
        of_text
            .map(|(text, entities)| Ok(in_characters(text, &entities?)))
            .collect()
    })?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

fn in_characters(text: &str, entities: &[Entity]) -> Vec<Span> {
    let place = |entity: &Entity| {
        let range = entity.char_range(text)?;
        Some((range.start, range.end, entity.label.to_string()))
    };
    entities.iter().filter_map(place).collect()
}
