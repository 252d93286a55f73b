//! The default model on the articles in `tests/corpus`.
//!
//! `golden.jsonl` has what the model found there when it was made. Engines and processors round
//! int8 arithmetic differently, so that a doubtful entity may come and go; a sure one may not. After
//! a change that is meant to change entities, run `NERITE_UPDATE=1 cargo test --release --test corpus`
//! and read the difference.
#![cfg(all(feature = "rten", feature = "embedded-model"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs};

use nerite::evaluation::{AnnotatedText, Evaluation};
use nerite::{Entity, Recognizer, Runtime};

static RECOGNIZER: LazyLock<Recognizer> = LazyLock::new(|| {
    Recognizer::builder()
        .runtime(Runtime::Rten)
        .build()
        .unwrap()
});

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// The Italian articles, by file name.
fn articles() -> BTreeMap<String, AnnotatedText> {
    let files = fs::read_dir(corpus().join("it"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let articles: BTreeMap<_, _> = files
        .map(|path| {
            let content = fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, AnnotatedText::from_markup(&content).unwrap())
        })
        .collect();
    assert!(articles.len() >= 12);
    articles
}

fn found(article: &AnnotatedText) -> Vec<Entity> {
    RECOGNIZER.recognize(&article.text, "it").unwrap()
}

fn f1(items: &[(&AnnotatedText, Vec<Entity>)]) -> f64 {
    let mut evaluation = Evaluation::new(RECOGNIZER.labels());
    for (item, entities) in items {
        evaluation.add(item, entities);
    }
    evaluation.micro().span.f1()
}

#[test]
fn entities_are_those_of_the_golden_file() {
    let path = corpus().join("golden.jsonl");
    let articles = articles();
    if env::var_os("NERITE_UPDATE").is_some() {
        let lines = articles
            .iter()
            .map(|(name, article)| serde_json::to_string(&(name, found(article))).unwrap() + "\n");
        fs::write(&path, lines.collect::<String>()).unwrap();
    }
    let content = fs::read_to_string(&path).unwrap();
    let golden: BTreeMap<String, Vec<Entity>> = content
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        golden.keys().eq(articles.keys()),
        "golden.jsonl is of other articles"
    );

    let (mut same, mut all) = (0, 0);
    for (name, article) in &articles {
        let found = found(article);
        let has = |list: &[Entity], entity: &Entity| {
            list.iter()
                .any(|other| other.span == entity.span && other.label == entity.label)
        };
        for entity in golden[name].iter().filter(|entity| entity.score > 0.9) {
            assert!(
                has(&found, entity),
                "{name}: {entity} at {:?} is missing",
                entity.range()
            );
        }
        for entity in found.iter().filter(|entity| entity.score > 0.9) {
            assert!(
                has(&golden[name], entity),
                "{name}: {entity} at {:?} is new",
                entity.range()
            );
        }
        same += found
            .iter()
            .filter(|entity| has(&golden[name], entity))
            .count();
        all += found.len().max(golden[name].len());
    }
    assert!(
        same as f64 > 0.985 * all as f64,
        "only {same} of {all} entities are as before"
    );
}

#[test]
fn each_model_scores_on_the_italian_articles_as_measured() {
    let articles = articles();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for (model, least) in [
        ("nerite-tiny", 86.5),
        ("nerite-small", 88.0),
        ("nerite-large", 88.0),
    ] {
        let builder = Recognizer::builder().model_dir(models.join(model));
        let recognizer = builder.runtime(Runtime::Rten).build().unwrap();
        let found = |article: &AnnotatedText| recognizer.recognize(&article.text, "it").unwrap();
        let items: Vec<_> = articles
            .values()
            .map(|article| (article, found(article)))
            .collect();
        let f1 = f1(&items);
        assert!(
            f1 > least,
            "exact-span F1 of {model} on tests/corpus/it is {f1:.1}"
        );
    }
}

#[test]
fn other_languages_score_as_measured() {
    for lang in ["de", "en", "es", "fr", "nl", "pl", "pt", "ru"] {
        let content = fs::read_to_string(corpus().join(lang).with_extension("txt")).unwrap();
        let article = AnnotatedText::from_markup(&content).unwrap();
        let entities = RECOGNIZER.recognize(&article.text, lang).unwrap();
        assert_eq!(
            RECOGNIZER.recognize(&article.text, "auto").unwrap(),
            entities,
            "{lang}"
        );
        let f1 = f1(&[(&article, entities)]);
        assert!(
            f1 > 70.0,
            "exact-span F1 on tests/corpus/{lang}.txt is {f1:.1}"
        );
    }
}

/// Typography must not shift offsets, nor hide what plain text shows.
#[test]
fn typography_changes_neither_offsets_nor_names() {
    let plain = "Secondo l'Agcom, Tim ha venduto la rete a Milano per 3,2 miliardi di euro.";
    let names = |text: &str| -> Vec<String> {
        let entities = RECOGNIZER.recognize(text, "it").unwrap();
        for entity in &entities {
            assert_eq!(&text[entity.range()], entity.text);
            let chars = entity.char_range(text).unwrap();
            let by_chars: String = text.chars().skip(chars.start).take(chars.len()).collect();
            assert_eq!(by_chars, entity.text);
        }
        entities.into_iter().map(|entity| entity.text).collect()
    };
    let expected = names(plain);
    assert_eq!(expected, ["Agcom", "Tim", "Milano", "3,2 miliardi di euro"]);
    let table = [
        plain.replace('\'', "’"),
        format!("\u{feff}{plain}"),
        format!("  \t{plain}\r\n"),
        format!("🎉 {plain} 👩‍🚀"),
        format!("{plain}\r\n\r\n{}", "Perché così è più bello."),
        format!("\u{202a}{plain}\u{202c}"),
    ];
    for text in table {
        assert_eq!(names(&text), expected, "{text:?}");
    }
}

#[test]
fn copies_separated_by_blank_lines_have_the_same_entities() {
    let article = &articles()["01-modello-lumen"];
    let alone = found(article);
    let copies = 20;
    let text = vec![article.text.trim_end(); copies].join("\n\n");
    let shift = article.text.trim_end().len() + 2;
    let together = RECOGNIZER.recognize(&text, "it").unwrap();
    assert_eq!(together.len(), copies * alone.len());
    for (at, entity) in together.iter().enumerate() {
        let expected = &alone[at % alone.len()];
        let offset = shift * (at / alone.len());
        assert_eq!(
            entity.range(),
            expected.span.start + offset..expected.span.end + offset
        );
        assert_eq!(
            (&entity.label, entity.score),
            (&expected.label, expected.score)
        );
    }
}

#[test]
fn threads_and_company_change_nothing() {
    let articles = articles();
    let texts: Vec<_> = articles
        .values()
        .take(4)
        .map(|article| &article.text)
        .collect();
    let alone: Vec<_> = texts
        .iter()
        .map(|text| RECOGNIZER.recognize(text, "it").unwrap())
        .collect();
    for threads in [1, 3] {
        let builder = Recognizer::builder()
            .runtime(Runtime::Rten)
            .threads(threads);
        let recognizer = builder.build().unwrap();
        let batch = recognizer.recognize_batch(&texts, "it");
        assert_eq!(
            batch.into_iter().map(Result::unwrap).collect::<Vec<_>>(),
            alone
        );
    }
    std::thread::scope(|scope| {
        for (text, alone) in texts.iter().zip(&alone) {
            scope.spawn(move || assert_eq!(&RECOGNIZER.recognize(text, "it").unwrap(), alone));
        }
    });
}

#[test]
fn the_free_function_has_the_default_model() {
    let text = "Ursula von der Leyen è a Bruxelles.";
    let entities = nerite::recognize(text, "it-IT").unwrap();
    let names: Vec<_> = entities.iter().map(|entity| entity.text.as_str()).collect();
    assert_eq!(names, ["Ursula von der Leyen", "Bruxelles"]);
}
