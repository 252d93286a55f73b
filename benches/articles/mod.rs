//! The text of the benches: Italian technology news.

use std::fs;
use std::path::Path;

use nerite::evaluation::AnnotatedText;

/// The articles of `tests/corpus/it`, in the order of their names.
pub fn articles() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/it");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let text = |path| {
        AnnotatedText::from_markup(&fs::read_to_string(path).unwrap())
            .unwrap()
            .text
    };
    files.into_iter().map(text).collect()
}
