"""Reader of the inline markup: `[[surface|TYPE]]`, one item a line, all ten types marked."""

import re
from pathlib import Path
from typing import Iterator

from .corpus import Item
from .labels import TYPES

MENTION = re.compile(r"\[\[(.+?)\|([A-Z]+)\]\]")


class MarkupError(ValueError):
    """A line that breaks the markup, named by file and number."""


def parse_line(line: str) -> tuple[str, list[tuple[int, int, str]]]:
    """Split a marked-up line into its text and its spans."""
    parts: list[str] = []
    spans = []
    length = position = 0
    for match in MENTION.finditer(line):
        surface, kind = match.groups()
        if kind not in TYPES:
            raise MarkupError(f"unknown type {kind}")
        between = line[position : match.start()]
        parts += [between, surface]
        start = length + len(between)
        length = start + len(surface)
        spans.append((start, length, kind))
        position = match.end()
    parts.append(line[position:])
    text = "".join(parts)
    if "[[" in text or "]]" in text:
        raise MarkupError("brackets that mark nothing")
    return text, spans


def read_markup(path: Path, lang: str, corpus: str) -> Iterator[Item]:
    """The items of a markup file; blank lines are skipped."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.strip()
            if not line:
                continue
            try:
                text, spans = parse_line(line)
            except MarkupError as error:
                raise MarkupError(f"{path}:{number}: {error}") from None
            yield Item(lang, corpus, text, spans, list(TYPES))
