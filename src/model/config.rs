//! `config.json`: the labels, the limits and the languages of a model.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::Error;
use crate::language::Language;

/// Tokens to take at once when neither file of a model tells how many it takes.
const USUAL_TOKENS: usize = 512;

/// What nerite reads of a model's `config.json`.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Labels in the order of the model's outputs.
    pub labels: Vec<String>,
    /// Tokens that the model takes at once, special tokens included.
    pub max_tokens: usize,
    /// Token ids that the model knows.
    pub vocabulary_size: Option<usize>,
    /// Languages that the model was made for; none if the file does not tell.
    pub languages: Vec<Language>,
    /// What logits are divided by, so that probabilities are as often right as they say (Guo et al.,
    /// 2017, "On calibration of modern neural networks"); 1 if the file does not tell.
    pub temperature: f32,
}

#[derive(Deserialize)]
struct ConfigFile {
    id2label: Option<BTreeMap<String, String>>,
    model_type: Option<String>,
    max_position_embeddings: Option<usize>,
    pad_token_id: Option<usize>,
    vocab_size: Option<usize>,
    #[serde(default)]
    languages: Vec<Language>,
    calibration_temperature: Option<f32>,
}

#[derive(Deserialize)]
struct TokenizerConfigFile {
    /// A float, because "no limit" is written as 1e30.
    model_max_length: Option<f64>,
}

/// Models whose positions begin after the padding id, so that they take fewer tokens than they
/// have positions.
const OFFSET_POSITIONS: &[&str] = &[
    "roberta",
    "xlm-roberta",
    "xlm-roberta-xl",
    "camembert",
    "mpnet",
    "longformer",
    "ibert",
    "data2vec-text",
    "roberta-prelayernorm",
    "xmod",
    "luke",
    "bertweet",
];

impl Config {
    /// Reads `config.json` and, where there is one, `tokenizer_config.json`; `path` is the former's,
    /// for messages.
    pub(crate) fn parse(
        path: &Path,
        config: &[u8],
        tokenizer_config: Option<&[u8]>,
    ) -> Result<Self, Error> {
        let invalid = |problem: String, source| Error::ModelFileInvalid {
            path: path.to_owned(),
            problem,
            source,
        };
        let file: ConfigFile = serde_json::from_slice(config).map_err(|e| {
            invalid(
                "it is not the configuration of a model; download it again".into(),
                Some(e.into()),
            )
        })?;
        let id2label = file.id2label.ok_or_else(|| {
            let problem = "it has no `id2label`; export a model for token classification";
            invalid(problem.into(), None)
        })?;
        let labels = (0..id2label.len())
            .map(|id| id2label.get(&id.to_string()).cloned().ok_or(id))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|id| {
                let problem = format!("`id2label` has {} entries but no {id}", id2label.len());
                invalid(problem, None)
            })?;
        let temperature = file.calibration_temperature.unwrap_or(1.0);
        if !(temperature.is_finite() && temperature > 0.0) {
            let problem = format!("`calibration_temperature` is {temperature}, not above 0");
            return Err(invalid(problem, None));
        }
        let offset = match file.model_type.as_deref() {
            Some(kind) if OFFSET_POSITIONS.contains(&kind) => file.pad_token_id.unwrap_or(1) + 1,
            _ => 0,
        };
        let positions = file
            .max_position_embeddings
            .map(|p| p.saturating_sub(offset));
        let tokenizer_limit = tokenizer_config
            .and_then(|json| serde_json::from_slice::<TokenizerConfigFile>(json).ok())
            .and_then(|file| file.model_max_length)
            .filter(|&limit| (1.0..1e6).contains(&limit))
            .map(|limit| limit as usize);
        let max_tokens = [positions, tokenizer_limit]
            .into_iter()
            .flatten()
            .filter(|&n| n > 0)
            .min();
        Ok(Self {
            labels,
            max_tokens: max_tokens.unwrap_or(USUAL_TOKENS),
            vocabulary_size: file.vocab_size,
            languages: file.languages,
            temperature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(config: &str, tokenizer_config: Option<&str>) -> Result<Config, Error> {
        Config::parse(
            Path::new("m/config.json"),
            config.as_bytes(),
            tokenizer_config.map(str::as_bytes),
        )
    }

    #[test]
    fn token_limits() {
        let labels = r#""id2label":{"0":"O","1":"PER"}"#;
        let table = [
            (
                r#""max_position_embeddings":512,"model_type":"bert""#,
                None,
                512,
            ),
            (
                r#""max_position_embeddings":514,"model_type":"xlm-roberta","pad_token_id":1"#,
                None,
                512,
            ),
            (
                r#""max_position_embeddings":514,"model_type":"roberta""#,
                Some(r#"{"model_max_length":128}"#),
                128,
            ),
            (
                r#""model_type":"xlnet""#,
                Some(r#"{"model_max_length":1e30}"#),
                512,
            ),
            (r#""model_type":"xlnet""#, Some("{}"), 512),
            (r#""max_position_embeddings":0"#, Some("broken"), 512),
        ];
        for (config, tokenizer_config, expected) in table {
            let config = parse(&format!("{{{labels},{config}}}"), tokenizer_config).unwrap();
            assert_eq!(config.max_tokens, expected);
            assert_eq!(config.labels, ["O", "PER"]);
        }
    }

    #[test]
    fn labels_come_in_numeric_order() {
        let entries: Vec<_> = (0..12).map(|id| format!(r#""{id}":"L{id}""#)).collect();
        let config = parse(
            &format!(r#"{{"id2label":{{{}}}}}"#, entries.join(",")),
            None,
        )
        .unwrap();
        assert_eq!(config.labels[2], "L2");
        assert_eq!(config.labels[11], "L11");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let table = [
            ("{", "it is not the configuration of a model"),
            ("[]", "it is not the configuration of a model"),
            ("{}", "it has no `id2label`"),
            (
                r#"{"id2label":{"0":"O","2":"PER"}}"#,
                "`id2label` has 2 entries but no 1",
            ),
            (
                r#"{"id2label":{"0":"O"},"calibration_temperature":0}"#,
                "`calibration_temperature` is 0, not above 0",
            ),
            (
                r#"{"id2label":{"0":"O"},"languages":["klingonese"]}"#,
                "it is not the configuration",
            ),
        ];
        for (config, problem) in table {
            let message = parse(config, None).unwrap_err().to_string();
            assert!(
                message.starts_with("`m/config.json` cannot be used:"),
                "{message}"
            );
            assert!(message.contains(problem), "{message}");
        }
    }
}
