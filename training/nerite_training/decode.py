"""Scores of words → entity spans, by Viterbi over the valid BIO sequences."""

import numpy as np

from .labels import LABELS

_KINDS = [label[2:] for label in LABELS]
_INSIDE = np.array([label.startswith("I-") for label in LABELS])
# FORBIDDEN[before, after]: an I follows only the B or the I of its own type.
FORBIDDEN = np.array(
    [[after.startswith("I-") and before[2:] != after[2:] for after in LABELS] for before in LABELS]
)


def best_path(scores: np.ndarray) -> list[int]:
    """The valid label sequence with the highest sum of log probabilities; `scores` is `[words, labels]`."""
    if len(scores) == 0:
        return []
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    transition = np.where(FORBIDDEN, -np.inf, 0.0)
    best = np.where(_INSIDE, -np.inf, log_p[0])
    back = np.zeros((len(scores), len(LABELS)), dtype=int)
    for position in range(1, len(scores)):
        paths = best[:, None] + transition
        back[position] = paths.argmax(axis=0)
        best = paths.max(axis=0) + log_p[position]
    path = [int(best.argmax())]
    for position in range(len(scores) - 1, 0, -1):
        path.append(int(back[position, path[-1]]))
    return path[::-1]


def spans_of(path: list[int], ranges: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
    """The character spans of a valid path over words with the given ranges."""
    spans: list[tuple[int, int, str]] = []
    for label, (start, end) in zip(path, ranges):
        if label == 0:
            continue
        if _INSIDE[label]:
            spans[-1] = (spans[-1][0], end, spans[-1][2])
        else:
            spans.append((start, end, _KINDS[label]))
    return spans


def decode(scores: np.ndarray, ranges: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
    """The entities of one window: `scores` of its words, their character `ranges`."""
    return spans_of(best_path(scores), ranges)
