"""A graph as `gline-rs` wants it (GLiNER in token mode), with nerite's encoder and a head of random weights.

No public GLiNER has an encoder of this size, so the comparison is of speed only: the same layers with the same weights
on the same runtime, once in nerite and once in `gline-rs`.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = 10
SCORES = 3  # start, end, inside


def write(model: Path, path: Path) -> None:
    """Write the graph of a model directory of nerite's with GLiNER's inputs and outputs to `path`."""
    proto = onnx.load(model / "model.onnx")
    graph = proto.graph
    # What the head of the tagger takes is the last normalised state.
    states = next(node for node in reversed(graph.node) if node.op_type == "LayerNormalization").output[0]
    names = [node.output[0] for node in graph.node]
    body = graph.node[: names.index(states) + 1]
    hidden = next(len(numpy_helper.to_array(c)) for c in graph.initializer if c.name.endswith("output_norm.bias"))
    constants = {
        "head.random": np.random.default_rng(0).normal(0, 0.02, (hidden, SCORES * TYPES)).astype(np.float32),
        "head.none": np.full(SCORES * TYPES, -10.0, np.float32),  # nothing is found
        "one": np.array(1),
        "after_first": np.array([1]),
        "shape": np.array([0, 0, TYPES, SCORES]),
    }
    nodes = [
        # A row for each word, with a one at its first piece.
        helper.make_node("ReduceMax", ["text_lengths"], ["words"], keepdims=0),
        helper.make_node("Add", ["words", "one"], ["end"]),
        helper.make_node("Range", ["one", "end", "one"], ["numbers"]),
        helper.make_node("Unsqueeze", ["numbers", "after_first"], ["column"]),
        helper.make_node("Unsqueeze", ["words_mask", "after_first"], ["row"]),
        helper.make_node("Equal", ["row", "column"], ["chosen"]),
        helper.make_node("Cast", ["chosen"], ["choice"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["choice", states], ["word_states"]),
        helper.make_node("MatMul", ["word_states", "head.random"], ["product"]),
        helper.make_node("Add", ["product", "head.none"], ["scores"]),
        helper.make_node("Reshape", ["scores", "shape"], ["by_type"]),
        helper.make_node("Transpose", ["by_type"], ["logits"], perm=[3, 0, 1, 2]),
    ]
    read = {name for node in [*body, *nodes] for name in node.input}
    kept = [constant for constant in graph.initializer if constant.name in read]
    kept += [numpy_helper.from_array(value, name) for name, value in constants.items() if name in read]
    takes = [("input_ids", "tokens"), ("attention_mask", "tokens"), ("words_mask", "tokens"), ("text_lengths", 1)]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", length]) for name, length in takes]
    gives = [SCORES, "batch", "words", TYPES]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, gives)]
    written = helper.make_graph([*body, *nodes], "gliner", inputs, outputs, kept)
    onnx.save(helper.make_model(written, opset_imports=proto.opset_import, ir_version=proto.ir_version), path)
