"""Stage 4: a finished tagger → a model directory in Hugging Face layout, and proof that the graphs compute the same.

The int8 graph is quantised dynamically: weights once, by output channel, activations at run time. The embeddings, two
thirds of the file, are int8 with a scale for each piece.
"""

import json
import os
import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from .calibrate import temperature
from .corpus import read_items
from .encoder import Tagger
from .engines import OnnxEngine
from .evaluate import read_annotated
from .graph import write_graph
from .labels import LABEL_IDS, LABELS, LANGUAGES, TYPES
from .schedule import load_model
from .vocabulary import PAD
from .windows import Window, encode

LICENCE = "CC-BY-SA-4.0"
# Greatest difference of a logit between PyTorch and the 32-bit graph: rounding in another order of summation.
TOLERANCE = 2e-3


def write_config(model: Tagger, version: str, calibration: float, path: Path) -> None:
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
        "layer_norm_eps": float(f"{shape.epsilon:.6g}"),
        "id2label": {str(number): label for number, label in enumerate(LABELS)},
        "label2id": LABEL_IDS,
        "languages": LANGUAGES,
        "types": TYPES,
        "calibration_temperature": calibration,
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


def export(work: Path, tagger: Path, target: Path, version: str, held_out: list[Path]) -> None:
    """Write the model directory `target`, with the int8 graph, and beside it `target`-fp32, with the 32-bit one.

    The temperature of the scores is fitted on `held_out`, annotated files that the training has not seen.
    """
    model = load_model(tagger).eval()
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    rows = sample_rows(work, tokenizer, 50)
    exact = target.with_name(f"{target.name}-fp32")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        full, small = Path(folder) / "full.onnx", Path(folder) / "small.onnx"
        write_graph(model, full, int8=False)
        write_graph(model, small, int8=True)
        difference = largest_difference(model, full, rows)
        if difference > TOLERANCE:
            raise RuntimeError(f"the exported graph differs from the module by {difference}")
        items = [item for path in held_out for item in read_annotated(path)]
        calibration = temperature(OnnxEngine(small), tokenizer, items) if items else 1.0
        print(f"32-bit graph against module: largest difference of a logit {difference:.1e}")
        print(f"int8 against 32 bits: same label for {100 * agreement(full, small, rows):.2f} % of words")
        print(f"calibration temperature {calibration:.2f}")
        for graph, directory in ((full, exact), (small, target)):
            directory.mkdir(exist_ok=True)
            os.replace(graph, directory / "model.onnx")
            shutil.copyfile(work / "tokenizer.json", directory / "tokenizer.json")
            write_config(model, version, calibration, directory / "config.json")
    print(f"{target / 'model.onnx'}: {(target / 'model.onnx').stat().st_size / 1e6:.1f} MB")
