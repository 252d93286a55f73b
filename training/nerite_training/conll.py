"""Reader of CoNLL files (`TOKEN<TAB>TAG`, blank line between sentences) that restores running text.

The model is used on text as people write it, so it must be trained and measured on such text and not on tokens with a
space between each two. No corpus here keeps its original spacing; these rules put it back well enough.
"""

import re
from pathlib import Path
from typing import Iterator

from .corpus import Item
from .labels import CORE_TYPES

NO_SPACE_BEFORE = re.compile(r"^(?:[,;:!?)\]}»”…]|\.+|[!?]+|%)$")
NO_SPACE_AFTER = re.compile(r"^[(\[{«“„¿¡#@]$")
ENGLISH_CLITIC = re.compile(r"^(?:['’](?:s|S|m|re|ve|ll|d|t)|n['’]t)$")
ELISION = re.compile(r"[^\W\d_]['’]$")
NUMBER = re.compile(r"^\d[\d.,]*$")
CURRENCY_SIGN = re.compile(r"^(?:US|A|C|R)?[$€£¥]$")
SPACED_PERCENT = {"de", "fr", "ru"}


def _glued(left: str, right: str, lang: str) -> bool:
    """Whether `right` follows `left` without a space."""
    if right == "%":
        return lang not in SPACED_PERCENT
    if NO_SPACE_BEFORE.match(right) or NO_SPACE_AFTER.match(left):
        return True
    if lang == "en" and ENGLISH_CLITIC.match(right):
        return True
    if right[0] in "'’" and len(right) == 1 and left[-1].isalnum() and lang in {"it", "fr"}:
        return True
    if lang in {"it", "fr"} and (ELISION.search(left) or left in "'’"):
        return right[0].isalnum() or right[0] in "«“\""
    if CURRENCY_SIGN.match(left) and NUMBER.match(right):
        return lang in {"en", "es", "pt"}
    return left == "/" or right == "/"


def detokenise(tokens: list[str], lang: str) -> tuple[str, list[tuple[int, int]]]:
    """Join `tokens` into running text; returns it with the character range of each token.

    Straight and TeX-style double quotes become straight ones, glued to what they enclose.
    """
    text = ""
    ranges = []
    quote_open = False
    glue_next = True
    previous = ""
    for raw in tokens:
        token = '"' if raw in ("``", "''", '"') else raw
        if token == '"':
            closing = quote_open if raw == '"' else raw == "''"
            glue = glue_next or closing
            quote_open = not closing
            glue_after = not closing
        else:
            glue = glue_next or _glued(previous, token, lang)
            glue_after = False
        if not glue:
            text += " "
        start = len(text)
        text += token
        ranges.append((start, len(text)))
        previous = token
        glue_next = glue_after
    return text, ranges


def tag_spans(tags: list[str]) -> list[tuple[int, int, str]]:
    """Token ranges `(first, past last, type)` of BIO tags; an I that continues nothing opens a span."""
    spans: list[tuple[int, int, str]] = []
    for position, tag in enumerate(tags):
        if tag == "O":
            continue
        prefix, kind = tag.split("-", 1)
        if prefix == "I" and spans and spans[-1][1] == position and spans[-1][2] == kind:
            spans[-1] = (spans[-1][0], position + 1, kind)
        else:
            spans.append((position, position + 1, kind))
    return spans


def read_sentences(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """The sentences of a file as tokens and tags."""
    tokens: list[str] = []
    tags: list[str] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line.strip():
                fields = line.split("\t")
                tokens.append(fields[0])
                tags.append(fields[-1])
            elif tokens:
                yield tokens, tags
                tokens, tags = [], []
    if tokens:
        yield tokens, tags


def read_conll(path: Path, lang: str, corpus: str) -> Iterator[Item]:
    """The items of a CoNLL file that marks PER, ORG and LOC (and perhaps MISC), as running text."""
    for tokens, tags in read_sentences(path):
        text, ranges = detokenise(tokens, lang)
        spans = [(ranges[first][0], ranges[last - 1][1], kind) for first, last, kind in tag_spans(tags)]
        yield Item(lang, corpus, text, spans, list(CORE_TYPES))
