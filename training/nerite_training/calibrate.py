"""The temperature that makes a model's probabilities as often right as they say (Guo et al., 2017)."""

import numpy as np
from tokenizers import Tokenizer

from .corpus import Item
from .engines import Engine
from .evaluate import MAX_TOKENS
from .windows import Window, encode

TEMPERATURES = np.arange(0.5, 4.0, 0.05)


def fit(scores: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which `labels [words]` are likeliest under `scores [words, labels]`."""

    def loss(value: float) -> float:
        scaled = scores / value
        highest = scaled.max(axis=1)
        total = np.log(np.exp(scaled - highest[:, None]).sum(axis=1)) + highest
        return float((total - scaled[np.arange(len(labels)), labels]).mean())

    return round(float(min(TEMPERATURES, key=loss)), 2)


def temperature(engine: Engine, tokenizer: Tokenizer, items: list[Item]) -> float:
    """The temperature for the words of `items`, all types of which are marked."""
    rows = [encode(Window(item.lang, item.text, item.spans, item.types), tokenizer, MAX_TOKENS) for item in items]
    labels = [bits.bit_length() - 1 for row in rows for bits in row.permitted]
    return fit(np.concatenate(engine.run(rows)), np.array(labels))
