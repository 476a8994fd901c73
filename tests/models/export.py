"""Writes the ONNX graph of a BERT sentence-embedding model beside its weights, and what it says of some sentences.

    export.py FOLDER

FOLDER has a sentence-transformers model with `model.safetensors`. Added to it are `model.onnx`, built operator by operator
as PyTorch's exporter does it (any batch, any length, layer norms and GELU in parts), and `reference.json`: the embeddings
that onnxruntime computes with it.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

OPSET = 14

SENTENCES = [
    "This is an example sentence",
    "Is",
    "You should take two of these pills every six hours.",
    "Stir the onions until they are golden, then add the rice.",
    "Ünïcödé, emoji 🎉 and 漢字 in one line!",
    "The quick brown fox jumps over the lazy dog while the river, which has been rising since the early morning, "
    "carries branches, planks and the occasional door past the village, and nobody on the bridge says a word.",
]


class Graph:
    """Nodes and constants, named as they come."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def __call__(self, op, *inputs, **attributes):
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"node_{name}", **attributes))
        return name

    def constant(self, value, dtype=None):
        value = np.asarray(value, dtype)
        name = f"constant_{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(value, name)
        return name


def bert(weights, config):
    g = Graph()
    heads = config["num_attention_heads"]
    width = config["hidden_size"] // heads
    get = lambda name: g.constant(weights[name])
    integer = lambda *value: g.constant(value, np.int64)
    number = lambda value: g.constant(value, np.float32)

    def norm(x, at):
        difference = g("Sub", x, g("ReduceMean", x, axes=[-1]))
        variance = g("ReduceMean", g("Pow", difference, number(2)), axes=[-1])
        scaled = g("Div", difference, g("Sqrt", g("Add", variance, number(config["layer_norm_eps"]))))
        return g("Add", g("Mul", scaled, get(f"{at}.weight")), get(f"{at}.bias"))

    def dense(x, at):
        return g("Add", g("MatMul", x, g.constant(weights[f"{at}.weight"].T.copy())), get(f"{at}.bias"))

    def size(x, axis):
        return g("Gather", g("Shape", x), g.constant(axis, np.int64), axis=0)

    def shape(x, *rest):
        sizes = [g("Unsqueeze", size(x, axis), integer(0)) for axis in (0, 1)]
        return g("Concat", *sizes, *(integer(size) for size in rest), axis=0)

    length = g("Unsqueeze", size("input_ids", 1), integer(0))
    places = g("Slice", g.constant(np.arange(config["max_position_embeddings"])[None]), integer(0), length, integer(1))
    x = g("Gather", get("embeddings.word_embeddings.weight"), "input_ids")
    x = g("Add", x, g("Gather", get("embeddings.token_type_embeddings.weight"), "token_type_ids"))
    x = g("Add", x, g("Gather", get("embeddings.position_embeddings.weight"), places))
    x = norm(x, "embeddings.LayerNorm")
    seen = g("Cast", g("Unsqueeze", g("Unsqueeze", "attention_mask", integer(1)), integer(2)), to=TensorProto.FLOAT)
    unseen = g("Mul", g("Sub", number(1), seen), number(np.finfo(np.float32).min))

    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"

        def split(name, order):
            y = dense(x, f"{at}.attention.self.{name}")
            return g("Transpose", g("Reshape", y, shape(y, heads, width)), perm=order)

        query, key = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1])
        scores = g("Div", g("MatMul", query, key), number(np.sqrt(width)))
        shares = g("Softmax", g("Add", scores, unseen), axis=-1)
        y = g("Transpose", g("MatMul", shares, split("value", [0, 2, 1, 3])), perm=[0, 2, 1, 3])
        y = dense(g("Reshape", y, shape(y, heads * width)), f"{at}.attention.output.dense")
        x = norm(g("Add", y, x), f"{at}.attention.output.LayerNorm")
        y = dense(x, f"{at}.intermediate.dense")
        erf = g("Add", g("Erf", g("Div", y, number(np.sqrt(2)))), number(1))
        y = dense(g("Mul", g("Mul", y, erf), number(0.5)), f"{at}.output.dense")
        x = norm(g("Add", y, x), f"{at}.output.LayerNorm")

    g.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    output = ["batch", "sequence", config["hidden_size"]]
    outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, output)]
    graph = helper.make_graph(g.nodes, "bert", inputs, outputs, list(g.constants.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def embed(session, tokenizer, text):
    encoding = tokenizer.encode(text)
    ids = {
        "input_ids": encoding.ids,
        "attention_mask": encoding.attention_mask,
        "token_type_ids": encoding.type_ids,
    }
    [hidden] = session.run(None, {name: np.array([value], np.int64) for name, value in ids.items()})
    mean = hidden[0].mean(axis=0)
    return mean / np.linalg.norm(mean)


def main():
    folder = Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text())
    model = bert(load_file(folder / "model.safetensors"), config)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    reference = [{"text": text, "embedding": embed(session, tokenizer, text).tolist()} for text in SENTENCES]
    (folder / "reference.json").write_text(json.dumps(reference))


main()
