"""One item of a corpus, and the JSON Lines format in which `prepare` writes it.

One JSON object a line:

    {"lang": "it", "corpus": "it/tech_news", "text": "...",
     "spans": [[start, end, "ORG"], ...], "types": ["PER", ...]}

`text` is raw running text, `spans` are half-open ranges of characters (Unicode scalar values) sorted by start and
without overlap, and `types` names the types that the corpus annotates: outside the spans, a type that is not in `types`
may be present unmarked. A span of type MISC says only that something unspecified is there; training masks it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterable, Iterator


@dataclass
class Item:
    """A sentence or a short paragraph with its annotated spans."""

    lang: str
    corpus: str
    text: str
    spans: list[tuple[int, int, str]]
    types: list[str]


def write_items(path: Path, items: Iterable[Item]) -> int:
    """Write `items` to `path`, one a line; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(json.dumps(asdict(item), ensure_ascii=False) + "\n")
            count += 1
    return count


def read_items(path: Path) -> Iterator[Item]:
    """The items of a file that `write_items` wrote."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            fields = json.loads(line)
            fields["spans"] = [(start, end, kind) for start, end, kind in fields["spans"]]
            yield Item(**fields)
