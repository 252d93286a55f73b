"""A model directory → the same weights as Hugging Face's `transformers` reads them, in 32 bits.

For those who want the model in Python, and for the benchmark against it.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attended": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "output_norm": "output.LayerNorm",
}
OTHER_NAMES = {
    "words": "bert.embeddings.word_embeddings",
    "places": "bert.embeddings.position_embeddings",
    "embedding_norm": "bert.embeddings.LayerNorm",
    "head": "classifier",
}


def parameters(graph: Path) -> dict[str, np.ndarray]:
    """The parameters in a graph that `write_graph` wrote, in 32 bits, in PyTorch's layout."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(graph).graph.initializer}
    found = {}
    if "words.codes" in constants:
        codes, vectors = constants["words.codes"].astype(np.int32), constants["words.vectors"]
        groups = codes.shape[1]
        places = codes + np.arange(groups) * (len(vectors) // groups)
        found["words.weight"] = vectors[places].reshape(len(codes), -1)
    for name, value in constants.items():
        owner, _, kind = name.rpartition(".")
        if kind not in ("weight", "bias"):
            continue
        value = value.astype(np.float32)
        scale = constants.get(f"{owner}.scale") if kind == "weight" else None
        if scale is not None:
            value = value * scale
        if value.ndim == 2 and owner not in ("words", "places"):
            value = value.T
        found[name] = value
    return found


def write(model: Path, target: Path) -> None:
    """Write `model.safetensors`, `config.json` and the tokenizer's files into `target`."""
    config = json.loads((model / "config.json").read_text())
    factor = (config["hidden_size"] // config["num_attention_heads"]) ** 0.5  # the graph has it in the queries
    state = {"bert.embeddings.token_type_embeddings.weight": torch.zeros(1, config["hidden_size"])}
    for name, value in parameters(model / "model.onnx").items():
        owner, _, kind = name.rpartition(".")
        if owner.startswith("layers."):
            _, number, part = owner.split(".")
            owner = f"bert.encoder.layer.{number}.{LAYER_NAMES[part]}"
            value = value * factor if part == "query" else value
        else:
            owner = OTHER_NAMES[owner]
        state[f"{owner}.{kind}"] = torch.from_numpy(np.array(value, order="C"))
    target.mkdir(parents=True, exist_ok=True)
    save_file(state, target / "model.safetensors", {"format": "pt"})
    (target / "config.json").write_text(json.dumps({**config, "type_vocab_size": 1}, indent=1))
    special = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
    special |= {"unk_token": "<unk>", "pad_token": "<pad>"}
    tokenizer = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config["max_position_embeddings"]}
    (target / "tokenizer_config.json").write_text(json.dumps({**tokenizer, **special}, indent=1))
    shutil.copyfile(model / "tokenizer.json", target / "tokenizer.json")
