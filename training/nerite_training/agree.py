"""Stage 6: do the 32-bit graph and both engines of the int8 graph find the same entities, run by the crate itself?

That the 32-bit graph computes what PyTorch does is checked by `export`.
"""

import json
import subprocess
import tempfile
from pathlib import Path

from .evaluate import language_of, read_annotated

CRATE = Path(__file__).resolve().parents[2]

Spans = list[set[tuple[int, int, str]]]


def by_crate(model: Path, files: list[Path], engine: str) -> Spans:
    """The entities that the crate's `batch` example finds in the texts of annotated `files`."""
    found: Spans = []
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder) / "texts.jsonl", Path(folder) / "entities.jsonl"
            given.write_text("".join(json.dumps({"text": item.text}) + "\n" for item in read_annotated(path)))
            command = ["cargo", "run", "--quiet", "--release", "--example", "batch", "--", "--lang", language_of(path)]
            command += ["--engine", engine, "--model", str(model.resolve()), str(given), str(made)]
            subprocess.run(command, cwd=CRATE, check=True, stderr=subprocess.DEVNULL)
            lines = sorted(map(json.loads, made.open(encoding="utf-8")), key=lambda line: int(line["id"]))
        found += [{(e["start"], e["end"], e["label"]) for e in line["entities"]} for line in lines]
    return found


def share(first: Spans, second: Spans) -> float:
    """Spans found by both over spans found by either."""
    both = sum(len(one & other) for one, other in zip(first, second))
    either = sum(len(one | other) for one, other in zip(first, second))
    return both / max(either, 1)


def agree(model: Path, exact: Path, files: list[Path]) -> None:
    """Print how far the int8 graph in `model`, on both engines, and the 32-bit one in `exact` agree on `files`."""
    ort, rten, full = by_crate(model, files, "ort"), by_crate(model, files, "rten"), by_crate(exact, files, "ort")
    print(f"{sum(map(len, ort))} entities in {len(ort)} texts")
    print(f"int8 on ONNX Runtime and on rten: {100 * share(ort, rten):.2f} % of spans equal")
    print(f"int8 and 32 bits on ONNX Runtime: {100 * share(ort, full):.2f} %")
