"""Stage 6: do PyTorch, ONNX Runtime and rten find the same entities? The last two through the crate itself."""

import json
import subprocess
import tempfile
from pathlib import Path

from tokenizers import Tokenizer

from .engines import TorchEngine
from .evaluate import predict, read_annotated
from .schedule import load_model

CRATE = Path(__file__).resolve().parents[2]

Spans = list[set[tuple[int, int, str]]]


def by_crate(model: Path, texts: list[str], engine: str) -> Spans:
    """The entities that the crate's `batch` example finds; it counts in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "texts.jsonl", Path(folder) / "entities.jsonl"
        given.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        command = ["cargo", "run", "--quiet", "--release", "--example", "batch", "--", "--lang", "it"]
        command += ["--engine", engine, "--model", str(model.resolve()), str(given), str(made)]
        subprocess.run(command, cwd=CRATE, check=True)
        lines = sorted(map(json.loads, made.read_text().splitlines()), key=lambda line: int(line["id"]))
    return [{(e["start"], e["end"], e["label"]) for e in line["entities"]} for line in lines]


def in_bytes(text: str, start: int, end: int) -> tuple[int, int]:
    """Character offsets in UTF-8 bytes."""
    first = len(text[:start].encode())
    return first, first + len(text[start:end].encode())


def share(first: Spans, second: Spans) -> float:
    """Spans found by both over spans found by either."""
    both = sum(len(one & other) for one, other in zip(first, second))
    either = sum(len(one | other) for one, other in zip(first, second))
    return both / max(either, 1)


def agree(tagger: Path, model: Path, files: list[Path]) -> None:
    """Print how far the three engines agree on the texts of annotated `files`."""
    texts = [item.text for path in files for item in read_annotated(path)]
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    predicted = predict(TorchEngine(load_model(tagger)), tokenizer, texts)
    module = [{(*in_bytes(text, a, b), kind) for a, b, kind in spans} for text, spans in zip(texts, predicted)]
    ort, rten = (by_crate(model, texts, engine) for engine in ("ort", "rten"))
    print(f"{sum(map(len, ort))} entities in {len(texts)} texts")
    print(f"ONNX Runtime and rten: {100 * share(ort, rten):.2f} % of spans equal")
    print(f"PyTorch (before int8) and ONNX Runtime: {100 * share(module, ort):.2f} %")
