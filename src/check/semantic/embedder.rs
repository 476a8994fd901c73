//! From a text to vectors.

use super::SemanticError;
use super::folder::{Folder, Pooling};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use tokenizers::{Encoding, Tokenizer, TruncationDirection};
use tokio::sync::Semaphore;
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

/// A sentence-embedding model. Cheap to clone; clones share its memory, and take turns on the machine's cores.
#[derive(Clone)]
pub struct Embedder(Arc<Model>);

struct Model {
    graph: Arc<TypedRunnableModel>,
    inputs: Vec<(Input, DatumType)>,
    tokenizer: Tokenizer,
    longest: usize,
    pooling: Pooling,
    lower_case: bool,
    /// How many numbers a vector has.
    width: usize,
    turns: Arc<Semaphore>,
}

/// What a graph may ask of a text's tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Input {
    Ids,
    Mask,
    Types,
}

impl Embedder {
    /// Reads a model: a folder with `model.onnx` (or `onnx/model.onnx`), `tokenizer.json` and, as sentence-transformers has
    /// them, `modules.json`, `1_Pooling/config.json`, `config.json` and `sentence_bert_config.json`; or the path of an
    /// `.onnx` file that has those beside it or one folder up.
    ///
    /// # Errors
    ///
    /// If a file is missing or cannot be read, or the model is of a kind that is not known.
    pub fn open(path: impl AsRef<Path>) -> Result<Embedder, SemanticError> {
        let Folder { graph: file, tokenizer, longest, pooling, lower_case } = Folder::read(path.as_ref())?;
        let broken = |error: TractError| SemanticError::File { path: file.clone(), reason: format!("{error:#}") };
        let mut graph = tract_onnx::onnx().model_for_path(&file).map_err(broken)?;
        let length = graph.symbols.sym("tokens");
        let mut inputs = Vec::new();
        for (at, outlet) in graph.input_outlets().map_err(broken)?.to_vec().into_iter().enumerate() {
            let input = match &*graph.node(outlet.node).name {
                "input_ids" => Input::Ids,
                "attention_mask" => Input::Mask,
                "token_type_ids" => Input::Types,
                other => return Err(SemanticError::Unsupported(format!("it asks for an input `{other}`"))),
            };
            let datum_type = graph.input_fact(at).map_err(broken)?.datum_type.concretize();
            let datum_type = datum_type.unwrap_or(i64::datum_type());
            let shape = tvec!(TDim::from(1), length.clone().into());
            graph.set_input_fact(at, InferenceFact::dt_shape(datum_type, shape)).map_err(broken)?;
            inputs.push((input, datum_type));
        }
        // The name that sentence-transformers' own export has for vectors that are pooled already.
        let outputs = graph.output_outlets().map_err(broken)?.to_vec();
        let pooled = outputs.iter().find(|outlet| graph.node(outlet.node).name == "sentence_embedding");
        let Some(output) = pooled.or(outputs.first()) else {
            return Err(SemanticError::Unsupported("it puts nothing out".to_owned()));
        };
        graph.select_output_outlets(&[*output]).map_err(broken)?;
        let graph = graph.into_optimized().and_then(|graph| graph.into_runnable()).map_err(broken)?;
        // Text goes on while passages are judged: half of the cores are left for it.
        let turns = thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        let turns = Arc::new(Semaphore::new(turns));
        let mut model = Model { graph, inputs, tokenizer, longest, pooling, lower_case, width: 0, turns };
        model.width = model.embed("A sentence.")?[0].len();
        Ok(Embedder(Arc::new(model)))
    }

    /// A vector of length 1 for every stretch of the text that the model can see at once; a sentence is one. Stretches
    /// overlap by an eighth.
    ///
    /// # Errors
    ///
    /// If the model fails, which it should not.
    pub fn embed(&self, text: &str) -> Result<Vec<Vec<f32>>, SemanticError> {
        self.0.embed(text)
    }

    /// Whose turn it is to use a core.
    pub(super) fn turns(&self) -> Arc<Semaphore> {
        self.0.turns.clone()
    }
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("width", &self.0.width).field("pooling", &self.0.pooling).finish()
    }
}

impl Model {
    fn embed(&self, text: &str) -> Result<Vec<Vec<f32>>, SemanticError> {
        let lower = self.lower_case.then(|| text.to_lowercase());
        let text = lower.as_deref().unwrap_or(text);
        let failed = |error: tokenizers::Error| SemanticError::Failed(error.to_string());
        // The tokenizer's own truncation forgets what is behind the first window.
        let mut first = self.tokenizer.encode_fast(text, false).map_err(failed)?;
        first.truncate(self.longest, self.longest / 8, TruncationDirection::Right);
        let others = first.take_overflowing();
        let windows = std::iter::once(first).chain(others);
        windows
            .map(|window| {
                let marked = self.tokenizer.post_process(window, None, true).map_err(failed)?;
                self.vector(&marked).map_err(|error| SemanticError::Failed(format!("{error:#}")))
            })
            .collect()
    }

    /// The vector of one window's tokens.
    fn vector(&self, window: &Encoding) -> TractResult<Vec<f32>> {
        let inputs = self.inputs.iter().map(|(input, datum_type)| {
            let numbers = match input {
                Input::Ids => window.get_ids(),
                Input::Mask => window.get_attention_mask(),
                Input::Types => window.get_type_ids(),
            };
            let numbers: Vec<i64> = numbers.iter().map(|&number| number.into()).collect();
            let tensor = Tensor::from_shape(&[1, numbers.len()], &numbers)?;
            Ok(tensor.cast_to_dt(*datum_type)?.into_owned().into_tvalue())
        });
        let outputs = self.graph.run(inputs.collect::<TractResult<_>>()?)?;
        let output = outputs[0].cast_to::<f32>()?;
        let numbers = output.try_as_plain_ram()?.as_slice::<f32>()?;
        let vector = match *output.shape() {
            [1, width] if width == numbers.len() => numbers.to_vec(),
            [1, tokens, width] if tokens > 0 && width > 0 => pool(numbers, width, self.pooling),
            ref other => return Err(TractError::msg(format!("its output has the shape {other:?}"))),
        };
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        if !(length.is_finite() && length > 0.0) {
            return Err(TractError::msg("its output is no direction"));
        }
        Ok(vector.into_iter().map(|number| number / length).collect())
    }
}

/// One vector of those of all tokens, whatever its length. Nothing is padded, so all of them count.
fn pool(numbers: &[f32], width: usize, pooling: Pooling) -> Vec<f32> {
    let tokens = numbers.chunks_exact(width).map(<[f32]>::to_vec);
    let merge = |merge: fn(f32, f32) -> f32| {
        let both = |a: Vec<f32>, b: Vec<f32>| a.into_iter().zip(b).map(|(a, b)| merge(a, b)).collect();
        tokens.clone().reduce(both).unwrap_or_default()
    };
    match pooling {
        Pooling::First => numbers[..width].to_vec(),
        Pooling::Mean => merge(|a, b| a + b),
        Pooling::Max => merge(f32::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_pooled_as_the_model_was_trained() {
        let numbers = [1.0, -2.0, 3.0, 4.0, -6.0, 5.0];
        assert_eq!(pool(&numbers, 2, Pooling::Mean), [-2.0, 7.0]);
        assert_eq!(pool(&numbers, 2, Pooling::First), [1.0, -2.0]);
        assert_eq!(pool(&numbers, 2, Pooling::Max), [3.0, 5.0]);
    }
}
