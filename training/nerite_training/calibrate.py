"""The temperature at which a model's scores of spans are as often right as they say (Guo et al., 2017)."""

import numpy as np
from tokenizers import Tokenizer

from .corpus import Item
from .decode import FORBIDDEN, best_path, spans_of
from .engines import Engine
from .evaluate import MAX_TOKENS
from .labels import LABEL_IDS
from .windows import Window, encode

TEMPERATURES = np.arange(0.8, 3.0, 0.05)
BINS = 10

Spans = list[tuple[int, int, str]]


def probabilities(scores: np.ndarray, spans: Spans, temperature: float) -> list[float]:
    """The probability of each span of words among all valid label sequences, by the forward-backward algorithm.

    As the library scores spans: the share of the sequences in which the span has its labels and does not go on.
    """
    if not spans:
        return []
    scaled = scores / temperature
    log_p = scaled - np.logaddexp.reduce(scaled, axis=1, keepdims=True)
    transition = np.where(FORBIDDEN, -np.inf, 0.0)
    # before[t] and after[t]: all valid ways to label what precedes and what follows word t, by t's label.
    before = np.full(log_p.shape, -np.inf)
    before[0] = np.where(FORBIDDEN[0], -np.inf, 0.0)
    after = np.zeros(log_p.shape)
    for word in range(1, len(log_p)):
        before[word] = np.logaddexp.reduce((before[word - 1] + log_p[word - 1])[:, None] + transition, axis=0)
    for word in range(len(log_p) - 2, -1, -1):
        after[word] = np.logaddexp.reduce(transition + log_p[word + 1] + after[word + 1], axis=1)
    total = np.logaddexp.reduce(before[-1] + log_p[-1])
    found = []
    for start, end, kind in spans:
        first, inside = LABEL_IDS[f"B-{kind}"], LABEL_IDS[f"I-{kind}"]
        last = first if end == start + 1 else inside
        value = before[start, first] + log_p[start, first] + log_p[start + 1 : end, inside].sum()
        if end < len(log_p):
            ways = transition[last] + log_p[end] + after[end]
            ways[inside] = -np.inf
            value += np.logaddexp.reduce(ways)
        found.append(float(np.exp(value - total)))
    return found


def calibration_error(scores: list[float], right: list[bool]) -> float:
    """How far scores are from the share of right ones, on average over bins of equal width (Naeini et al., 2015)."""
    bins = np.minimum((np.array(scores) * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, np.array(scores), BINS) - np.bincount(bins, np.array(right, float), BINS)
    return float(np.abs(gaps).sum() / max(len(scores), 1))


def temperature(engine: Engine, tokenizer: Tokenizer, items: list[Item]) -> float:
    """The temperature with the least calibration error on `items`, all types of which are marked."""
    rows = [encode(Window(item.lang, item.text, [], item.types), tokenizer, MAX_TOKENS) for item in items]
    runs = []
    for item, row, scores in zip(items, rows, engine.run(rows)):
        spans = spans_of(best_path(scores), [(word, word + 1) for word in range(len(scores))])
        gold = set(item.spans)
        right = [(row.ranges[a][0], row.ranges[b - 1][1], kind) in gold for a, b, kind in spans]
        runs.append((scores, spans, right))
    right = [one for run in runs for one in run[2]]

    def error(value: float) -> float:
        found = [p for scores, spans, _ in runs for p in probabilities(scores, spans, value)]
        return calibration_error(found, right)

    return round(float(min(TEMPERATURES, key=error)), 2)
