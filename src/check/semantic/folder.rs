//! What stands beside a model's graph: its tokenizer, and how its vectors are made.

use super::SemanticError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};
use tokenizers::{PostProcessor, Tokenizer};

/// How one vector is made of those of all tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Pooling {
    #[default]
    Mean,
    First,
    Max,
}

/// A model's files, read but for its graph.
pub(super) struct Folder {
    pub(super) graph: PathBuf,
    pub(super) tokenizer: Tokenizer,
    /// How many tokens the model sees at once, without those that mark their ends.
    pub(super) longest: usize,
    pub(super) pooling: Pooling,
    pub(super) lower_case: bool,
}

/// A step of a sentence-transformers model, as `modules.json` lists them.
#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    r#type: String,
}

/// `sentence_bert_config.json`
#[derive(Default, Deserialize)]
#[serde(default)]
struct Transformer {
    max_seq_length: Option<usize>,
    do_lower_case: bool,
}

/// `config.json`
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    max_position_embeddings: Option<usize>,
}

/// `config.json` of the step that pools.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    /// Of the same direction as the mean.
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

/// Where a model says nothing of it: what BERT has.
const LONGEST: usize = 512;

/// In fewer tokens than these nothing can be said.
const SHORTEST: usize = 8;

impl Folder {
    /// Reads the folder, or what stands beside the file or one folder up.
    pub(super) fn read(path: &Path) -> Result<Folder, SemanticError> {
        let (graph, settings) = if path.is_dir() {
            let graphs = [path.join("model.onnx"), path.join("onnx").join("model.onnx")];
            let graph = graphs.iter().find(|graph| graph.is_file());
            let missing = || bad(&graphs[0], "there is no such file; export the model to ONNX");
            (graph.ok_or_else(missing)?.clone(), path.to_owned())
        } else {
            let ancestors = path.ancestors().skip(1).take(2);
            let settings = ancestors.into_iter().find(|folder| folder.join(TOKENIZER).is_file());
            let parent = || path.parent().unwrap_or(Path::new("")).to_owned();
            (path.to_owned(), settings.map_or_else(parent, Path::to_owned))
        };
        if !graph.is_file() {
            return Err(bad(&graph, "there is no such file"));
        }
        let transformer: Transformer = read(&settings.join("sentence_bert_config.json"))?.unwrap_or_default();
        let config: Config = read(&settings.join("config.json"))?.unwrap_or_default();
        let tokenizer = read_tokenizer(&settings.join(TOKENIZER))?;
        let longest = [transformer.max_seq_length, config.max_position_embeddings];
        let longest = longest.into_iter().flatten().min().unwrap_or(LONGEST);
        let longest =
            longest.saturating_sub(tokenizer.get_post_processor().map_or(0, |marks| marks.added_tokens(false)));
        if longest < SHORTEST {
            return Err(SemanticError::Unsupported(format!("it sees only {longest} tokens at once")));
        }
        let (pooling, lower_case) = (read_pooling(&settings)?, transformer.do_lower_case);
        Ok(Folder { graph, tokenizer, longest, pooling, lower_case })
    }
}

const TOKENIZER: &str = "tokenizer.json";

fn bad(path: &Path, reason: impl ToString) -> SemanticError {
    SemanticError::File { path: path.to_owned(), reason: reason.to_string() }
}

/// A file of settings; `None` if there is none.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, SemanticError> {
    if !path.exists() {
        return Ok(None);
    }
    let json = fs::read(path).map_err(|error| bad(path, error))?;
    serde_json::from_slice(&json).map(Some).map_err(|error| bad(path, error))
}

/// A tokenizer that takes texts as long as they are.
fn read_tokenizer(path: &Path) -> Result<Tokenizer, SemanticError> {
    let mut tokenizer = Tokenizer::from_file(path).map_err(|error| bad(path, error))?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| bad(path, error))?;
    Ok(tokenizer)
}

fn read_pooling(settings: &Path) -> Result<Pooling, SemanticError> {
    let modules: Vec<Module> = read(&settings.join("modules.json"))?.unwrap_or_default();
    let mut path = settings.join("1_Pooling");
    for module in &modules {
        match module.r#type.rsplit('.').next().unwrap_or_default() {
            "Transformer" | "Normalize" => {}
            "Pooling" => path = settings.join(&module.path),
            other => return Err(SemanticError::Unsupported(format!("it has a step `{other}`"))),
        }
    }
    let Some(config) = read::<PoolingConfig>(&path.join("config.json"))? else { return Ok(Pooling::default()) };
    let mean = config.pooling_mode_mean_tokens || config.pooling_mode_mean_sqrt_len_tokens;
    let others = config.pooling_mode_weightedmean_tokens || config.pooling_mode_lasttoken;
    match (mean, config.pooling_mode_cls_token, config.pooling_mode_max_tokens, others) {
        (true, false, false, false) => Ok(Pooling::Mean),
        (false, true, false, false) => Ok(Pooling::First),
        (false, false, true, false) => Ok(Pooling::Max),
        _ => Err(SemanticError::Unsupported("it pools in another way than by mean, first token or maximum".to_owned())),
    }
}
