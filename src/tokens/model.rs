//! The sub-word models: those of `tokenizers`, but for unigram ours, which is ready sooner.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;
use tokenizers::models::TrainerWrapper;
use tokenizers::{
    DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, PostProcessorWrapper,
    PreTokenizerWrapper, Result, Token, TokenizerImpl,
};

use super::unigram::Unigram;

/// A `tokenizer.json`: all of it `tokenizers`' own but the model.
pub(super) type Tokenizer = TokenizerImpl<
    AnyModel,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

/// The `model` of a `tokenizer.json`.
#[derive(Debug)]
pub(super) enum AnyModel {
    Unigram(Unigram),
    Other(Box<ModelWrapper>),
}

#[derive(serde::Deserialize)]
struct Kind {
    r#type: Option<String>,
}

impl<'de> Deserialize<'de> for AnyModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        // As text first: to find out the type by trial would hold every vocabulary twice.
        let json = <&RawValue>::deserialize(deserializer)?;
        let kind: Kind = serde_json::from_str(json.get()).map_err(D::Error::custom)?;
        let model = if kind.r#type.as_deref() == Some("Unigram") {
            serde_json::from_str(json.get()).map(AnyModel::Unigram)
        } else {
            serde_json::from_str(json.get()).map(|other| AnyModel::Other(Box::new(other)))
        };
        model.map_err(D::Error::custom)
    }
}

impl Model for AnyModel {
    type Trainer = TrainerWrapper;

    fn tokenize(&self, sequence: &str) -> Result<Vec<Token>> {
        match self {
            AnyModel::Unigram(model) => model.tokenize(sequence),
            AnyModel::Other(model) => model.tokenize(sequence),
        }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            AnyModel::Unigram(model) => model.id(token),
            AnyModel::Other(model) => model.token_to_id(token),
        }
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            AnyModel::Unigram(model) => model.piece(id).map(str::to_owned),
            AnyModel::Other(model) => model.id_to_token(id),
        }
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            AnyModel::Unigram(model) => model.vocabulary().collect(),
            AnyModel::Other(model) => model.get_vocab(),
        }
    }

    fn get_vocab_size(&self) -> usize {
        match self {
            AnyModel::Unigram(model) => model.len(),
            AnyModel::Other(model) => model.get_vocab_size(),
        }
    }

    fn save(&self, folder: &Path, prefix: Option<&str>) -> Result<Vec<PathBuf>> {
        match self {
            AnyModel::Unigram(_) => Err("a model that is only read cannot be saved".into()),
            AnyModel::Other(model) => model.save(folder, prefix),
        }
    }

    fn get_trainer(&self) -> TrainerWrapper {
        match self {
            AnyModel::Unigram(_) => ModelWrapper::Unigram(Default::default()).get_trainer(),
            AnyModel::Other(model) => model.get_trainer(),
        }
    }
}
