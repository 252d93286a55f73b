"""Stage 4: a finished tagger → a model directory in Hugging Face layout, and proof that the graph computes the same.

The int8 graph is quantised dynamically: weights once, by output channel, activations at run time. The embeddings, two
thirds of the file, are int8 with a scale for each piece: a row is gathered, cast and multiplied by its scale, which
takes plain operators that every runtime has and is more exact than the quantiser's one scale for the whole table.
"""

import copy
import json
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from tokenizers import Tokenizer
from torch import Tensor, nn

from .corpus import read_items
from .encoder import Tagger
from .engines import OnnxEngine
from .labels import LABEL_IDS, LABELS, LANGUAGES, TYPES
from .schedule import load_model
from .vocabulary import PAD
from .windows import Window, encode

OPSET = 17
LICENCE = "CC-BY-SA-4.0"
# Greatest difference of a logit between PyTorch and the 32-bit graph: rounding in another order of summation.
TOLERANCE = 2e-3


class RowQuantised(nn.Module):
    """An embedding table in int8, each row with a scale of its own."""

    def __init__(self, table: Tensor):
        super().__init__()
        scale = table.abs().amax(dim=1, keepdim=True).clamp_min(1e-8) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("codes", (table / scale).round().to(torch.int8))

    def forward(self, ids: Tensor) -> Tensor:
        return self.codes[ids].float() * self.scale[ids]


def export_graph(model: Tagger, path: Path) -> None:
    """Write the 32-bit graph, batch and length free."""
    model = model.cpu().eval()
    ids = torch.randint(4, 1000, (2, 16))
    torch.onnx.export(
        model,
        (ids, torch.ones_like(ids)),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in ("input_ids", "attention_mask", "logits")},
        opset_version=OPSET,
        dynamo=False,
    )
    onnx.checker.check_model(str(path))


def export_int8(model: Tagger, path: Path) -> None:
    """Write the int8 graph."""
    small = copy.deepcopy(model)
    small.words = RowQuantised(model.words.weight.detach())
    with tempfile.TemporaryDirectory() as folder:
        half_way = Path(folder) / "embeddings.onnx"
        export_graph(small, half_way)
        quantize_dynamic(
            half_way,
            path,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul"],
            extra_options={"MatMulConstBOnly": True},
        )


def write_config(model: Tagger, version: str, path: Path) -> None:
    """Write `config.json`: what a Hugging Face reader expects, and languages, types, version and licence."""
    shape = model.shape
    config = {
        "architectures": ["BertForTokenClassification"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.feed_forward,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "max_position_embeddings": shape.positions,
        "vocab_size": shape.vocabulary,
        "pad_token_id": PAD,
        "layer_norm_eps": shape.epsilon,
        "id2label": {str(number): label for number, label in enumerate(LABELS)},
        "label2id": LABEL_IDS,
        "languages": LANGUAGES,
        "types": TYPES,
        "version": version,
        "license": LICENCE,
    }
    path.write_text(json.dumps(config, indent=1, ensure_ascii=False) + "\n")


def sample_rows(work: Path, tokenizer: Tokenizer, count: int) -> list:
    """Encoded items to compare engines on."""
    items = random.Random(0).sample(list(read_items(work / "items.jsonl")), count)
    return [encode(Window(item.lang, item.text, [], []), tokenizer) for item in items]


@torch.inference_mode()
def largest_difference(model: Tagger, graph: Path, rows: list) -> float:
    """The largest difference of a logit between the module and a graph, over `rows`."""
    worst = 0.0
    for row, scores in zip(rows, OnnxEngine(graph).run(rows)):
        ids = torch.tensor([row.ids])
        expected = model(ids, torch.ones_like(ids))[0, row.firsts].numpy()
        worst = max(worst, float(np.abs(expected - scores).max(initial=0.0)))
    return worst


def agreement(first: Path, second: Path, rows: list) -> float:
    """The share of words to which two graphs give the same best label."""
    same = total = 0
    for one, other in zip(OnnxEngine(first).run(rows), OnnxEngine(second).run(rows)):
        same += int((one.argmax(axis=1) == other.argmax(axis=1)).sum())
        total += len(one)
    return same / max(total, 1)


def export(work: Path, tagger: Path, target: Path, version: str) -> None:
    """Write `model.onnx` (int8), `model.fp32.onnx`, `tokenizer.json` and `config.json` into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    model = load_model(tagger).eval()
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    rows = sample_rows(work, tokenizer, 50)
    full = target / "model.fp32.onnx"
    small = target / "model.onnx"
    export_graph(model, full)
    difference = largest_difference(model, full, rows)
    if difference > TOLERANCE:
        raise RuntimeError(f"the exported graph differs from the module by {difference}")
    export_int8(model, small)
    shutil.copyfile(work / "tokenizer.json", target / "tokenizer.json")
    write_config(model, version, target / "config.json")
    print(f"fp32 graph against module: largest difference of a logit {difference:.1e}")
    print(f"int8 against fp32: same label for {100 * agreement(full, small, rows):.2f} % of words")
    print(f"{small}: {small.stat().st_size / 1e6:.1f} MB")
