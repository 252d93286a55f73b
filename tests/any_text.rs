//! Any `&str` at all: nothing panics, nothing is cut, offsets hold.
//!
//! Runs on a tiny real model, so that megabytes take seconds.
#![cfg(feature = "rten")]

use std::path::Path;
use std::sync::LazyLock;

use nerite::{Recognizer, Runtime};
use proptest::prelude::*;
use rayon::prelude::*;

fn load(model: &str) -> Recognizer {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(model);
    Recognizer::builder()
        .model_dir(dir)
        .runtime(Runtime::Rten)
        .build()
        .unwrap()
}

static RECOGNIZERS: LazyLock<Vec<Recognizer>> = LazyLock::new(|| {
    ["bert-wordpiece", "xlmr-unigram", "roberta-bpe"]
        .iter()
        .map(|model| load(model))
        .collect()
});

/// Recognises `text` by every kind of tokenizer, and checks what must hold of all results.
fn check(text: &str) -> usize {
    let mut found = 0;
    for recognizer in RECOGNIZERS.iter() {
        let mut end = 0;
        for entity in recognizer.recognize(text, "it").unwrap() {
            assert!(
                entity.span.start >= end && !entity.span.is_empty(),
                "{entity}"
            );
            assert_eq!(text.get(entity.range()), Some(entity.text.as_str()));
            assert!((0.0..=1.0).contains(&entity.score));
            end = entity.span.end;
            found += 1;
        }
    }
    found
}

#[test]
fn curious_texts() {
    let zalgo: String = (0x300..0x36f).filter_map(char::from_u32).collect();
    let table = [
        "".to_owned(),
        " ".to_owned(),
        "\0".to_owned(),
        "\0\0 Roma \0".to_owned(),
        "\u{feff}Roma\u{feff}".to_owned(),
        "\r\n\r\n\r".to_owned(),
        "\u{202e}Roma\u{202c} \u{2066}Milano\u{2069}".to_owned(),
        format!("R{zalgo}oma"),
        zalgo,
        "ﷺﷺﷺ".repeat(50),
        "½ ﬃ Ⅷ ㎏ ①".to_owned(),
        "👩‍👩‍👧‍👦🏳️‍🌈🇮🇹".repeat(40),
        "[CLS][SEP][PAD][UNK][MASK]<s></s><pad><unk><mask> Ġ▁##".to_owned(),
        "''''’’’’\"\"«»«».....!?!?".repeat(20),
        "l'".repeat(300),
        "a.b.c.".repeat(300),
        "\u{1f}\u{7f}\u{80}\u{ad}\u{200b}\u{2060}\u{fffd}\u{10ffff}".to_owned(),
    ];
    for text in table {
        check(&text);
        check(&format!("Mario Rossi {text} Milano."));
    }
}

#[test]
fn a_character_of_every_block_in_every_plane() {
    let mut text = String::new();
    for code in (0..=0x10_ffff).step_by(61) {
        text.extend(char::from_u32(code));
        if code % 7 == 0 {
            text.push(' ');
        }
    }
    check(&text);
}

#[test]
fn a_single_word_of_a_megabyte() {
    for unit in ["a", "è", "漢", "👩‍🚀", ".", "'", "1"] {
        check(&unit.repeat(200_000 / unit.len()));
    }
    check(&"a".repeat(1 << 20));
}

#[test]
fn ten_megabytes_in_one_line() {
    let sentence = "Mario Rossi lavora alla Banca Lombarda di Milano. ";
    let copies = 10 * (1 << 20) / sentence.len();
    let recognizer = &RECOGNIZERS[0];
    let entities = recognizer
        .recognize(&sentence.repeat(copies), "it")
        .unwrap();
    assert!(
        entities.len() > copies,
        "{} entities in {copies} sentences",
        entities.len()
    );
}

/// While a thread of a rayon pool waits for another pool, it runs other jobs of its own, which may be
/// calls of ours again, also while the model is loaded.
#[test]
fn callers_may_be_threads_of_a_rayon_pool() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(4)
        .build()
        .unwrap();
    let text = "Mario Rossi lavora alla Banca Lombarda di Milano. ".repeat(30);
    static RECOGNIZER: LazyLock<Recognizer> = LazyLock::new(|| load("bert-wordpiece"));
    let found: Vec<_> = pool.install(|| {
        let recognize = |_| RECOGNIZER.recognize(&text, "it").unwrap().len();
        (0..100).into_par_iter().map(recognize).collect()
    });
    assert!(found[0] > 0 && found.iter().all(|&entities| entities == found[0]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn arbitrary_text(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn text_with_names(parts in prop::collection::vec(
        prop_oneof![
            Just("Mario Rossi".to_owned()), Just("dell’".to_owned()), Just("Banca".to_owned()),
            Just("\r\n\r\n".to_owned()), Just(". ".to_owned()), Just("Milano".to_owned()),
            Just("e\u{301}".to_owned()), Just("🎉".to_owned()), "\\PC{0,8}", "[ ,.;:'\"()]{1,3}",
        ],
        0..60,
    )) {
        check(&parts.concat());
    }
}
