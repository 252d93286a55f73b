"""Exact-span precision, recall and F1 of an engine on annotated files: raw text in, character spans out."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable

from tokenizers import Tokenizer

from .conll import read_conll
from .corpus import Item
from .decode import decode
from .engines import Engine
from .labels import LANGUAGES
from .markup import read_markup
from .windows import Window, encode

MAX_TOKENS = 512  # all positions that the encoder has


@dataclass
class Score:
    """Counts of spans, by type; a span is found when both its ends and its type are right."""

    found: Counter[str] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)
    expected: Counter[str] = field(default_factory=Counter)

    def add(self, predicted: Iterable[tuple[int, int, str]], expected: Iterable[tuple[int, int, str]]) -> None:
        """Count one item."""
        guess, truth = set(predicted), set(expected)
        self.found.update(kind for _, _, kind in guess & truth)
        self.predicted.update(kind for _, _, kind in guess)
        self.expected.update(kind for _, _, kind in truth)

    def f1(self, kind: str | None = None) -> float:
        """F1 in percent of one type, or micro-averaged over all."""
        counts = (self.found, self.predicted, self.expected)
        found, predicted, expected = (c[kind] if kind else sum(c.values()) for c in counts)
        return 200.0 * found / max(predicted + expected, 1)


def language_of(path: Path) -> str:
    """The language that a file's name states: `it_tech`, `wikineural_de`; Italian for `kind_wn`."""
    return next((part for part in path.stem.split("_") if part in LANGUAGES), "it")


def read_annotated(path: Path) -> list[Item]:
    """The items of a markup or CoNLL file."""
    reader = read_markup if path.suffix == ".txt" else read_conll
    return list(reader(path, language_of(path), path.stem))


def predict(engine: Engine, tokenizer: Tokenizer, texts: list[str]) -> list[list[tuple[int, int, str]]]:
    """The entities of each text, each run as one window."""
    rows = [encode(Window("", text, [], []), tokenizer, MAX_TOKENS) for text in texts]
    return [decode(scores, row.ranges) for scores, row in zip(engine.run(rows), rows)]


def evaluate(engine: Engine, tokenizer: Tokenizer, path: Path, limit: int | None = None) -> Score:
    """Score one file over the types that it marks."""
    score = Score()
    items = read_annotated(path)[:limit]
    for item, predicted in zip(items, predict(engine, tokenizer, [item.text for item in items])):
        score.add(
            [span for span in predicted if span[2] in item.types],
            [span for span in item.spans if span[2] in item.types],
        )
    return score


def report(engine: Engine, tokenizer: Tokenizer, paths: list[Path], limit: int | None, out: Path | None) -> None:
    """Print a line a file, and write all figures as JSON to `out`."""
    figures = {}
    for path in paths:
        score = evaluate(engine, tokenizer, path, limit)
        by_type = {kind: round(score.f1(kind), 1) for kind in sorted(score.expected)}
        figures[path.stem] = {"f1": round(score.f1(), 2), "types": by_type}
        print(f"{path.stem:16s} {score.f1():6.2f}  " + " ".join(f"{k} {v}" for k, v in by_type.items()), flush=True)
    if out:
        out.write_text(json.dumps(figures, indent=1))
