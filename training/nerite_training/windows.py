"""Items → the windows of text that a model is trained on, and windows → batches of tensors.

The library runs the model on windows of one or more sentences, so training mixes lone items with runs of consecutive
ones. Light augmentation keeps the model from leaning on typography.
"""

import fnmatch
import random
import re
from dataclasses import dataclass, field, replace
from typing import Iterator, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor

from .corpus import Item
from .labels import LABELS, MASKED_TYPE, TYPES, begin, inside
from .vocabulary import PAD

MAX_TOKENS = 320
LONG_ITEM = 400  # characters from which an item may be cut at its sentence ends
LONG_WINDOW = 800  # characters past which no further item is joined
IGNORE = 0  # the bit set of a word without a label: its loss is left out
SENTENCE_END = re.compile(r"(?<=[.!?…»”])\s+(?=[\"«“„¿¡]?[^\W\d_a-z])")


@dataclass
class Window:
    """Text to run at once, with spans; `types` as in `Item`."""

    lang: str
    text: str
    spans: list[tuple[int, int, str]]
    types: list[str]


@dataclass
class Encoded:
    """A window as token ids, the positions of the words' first sub-words, and each word's permitted labels as bits."""

    ids: list[int]
    firsts: list[int]
    permitted: list[int]
    ranges: list[tuple[int, int]] = field(default_factory=list)


def cut(item: Item) -> list[Item]:
    """The sentences of an item, as items; a sentence end inside a span does not count."""
    starts = [0]
    for match in SENTENCE_END.finditer(item.text):
        if not any(start < match.end() and match.start() < end for start, end, _ in item.spans):
            starts.append(match.end())
    ends = [*starts[1:], len(item.text)]
    pieces = []
    for start, end in zip(starts, ends):
        text = item.text[start:end].rstrip()
        spans = [(a - start, b - start, kind) for a, b, kind in item.spans if start <= a and b <= end]
        pieces.append(replace(item, text=text, spans=spans))
    return pieces


def join(items: Sequence[Item], separator: str) -> Window:
    """One window of `items` in a row."""
    text = ""
    spans = []
    for item in items:
        if text:
            text += separator
        spans += [(start + len(text), end + len(text), kind) for start, end, kind in item.spans]
        text += item.text
    return Window(items[0].lang, text, spans, items[0].types)


def draw_windows(items: list[Item], generator: random.Random) -> list[Window]:
    """Partition the consecutive items of one corpus into windows of one to three items, long ones cut half the time."""
    pieces: list[Item] = []
    for item in items:
        if len(item.text) > LONG_ITEM and generator.random() < 0.5:
            pieces += cut(item)
        else:
            pieces.append(item)
    windows = []
    position = 0
    while position < len(pieces):
        wanted = generator.choices((1, 2, 3), (0.5, 0.3, 0.2))[0]
        taken = [pieces[position]]
        for piece in pieces[position + 1 : position + wanted]:
            if sum(len(one.text) for one in taken) + len(piece.text) > LONG_WINDOW:
                break
            taken.append(piece)
        position += len(taken)
        windows.append(join(taken, "\n" if generator.random() < 0.1 else " "))
    return windows


def rate_of(corpus: str, rates: list[tuple[str, float]]) -> float:
    """The rate of the first pattern that matches `corpus`."""
    for pattern, rate in rates:
        if fnmatch.fnmatch(corpus, pattern):
            return rate
    raise KeyError(f"no rate in the mixture for {corpus}")


def by_corpus(items: Sequence[Item]) -> dict[str, list[Item]]:
    """Items grouped by corpus, in their order."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.corpus, []).append(item)
    return groups


def draw_epoch(
    corpora: dict[str, list[Item]], rates: list[tuple[str, float]], generator: random.Random
) -> list[Window]:
    """The windows of one epoch in random order; a rate of 2.5 draws each window twice and every other once more."""
    epoch = []
    for corpus, items in corpora.items():
        rate = rate_of(corpus, rates)
        while rate > 0:
            windows = draw_windows(items, generator)
            if rate < 1:
                windows = [window for window in windows if generator.random() < rate]
            epoch += windows
            rate -= 1
    generator.shuffle(epoch)
    return epoch


class Names:
    """Mentions by language and type, to put in the place of others."""

    SWAPPED = ("PER", "ORG", "LOC", "PRODUCT")
    # Polish and Russian names are inflected: another name would stand in the wrong case.
    LANGUAGES = ("it", "en", "de", "fr", "es", "pt", "nl")

    def __init__(self, items: Sequence[Item]):
        self.mentions: dict[tuple[str, str, bool], list[str]] = {}
        for item in items:
            for start, end, kind in item.spans:
                if kind in self.SWAPPED and len(item.types) == len(TYPES):
                    mention = item.text[start:end]
                    self.mentions.setdefault(self._group(item.lang, mention, kind), []).append(mention)

    @staticmethod
    def _group(lang: str, mention: str, kind: str) -> tuple[str, str, bool]:
        # A vowel calls for an elided article in Italian and French: dell'Alibaba, but della Samsung.
        return lang, kind, mention[0].lower() in "aeiouàèéìòùh"

    def swap(self, window: Window, generator: random.Random) -> Window:
        """Replace about a third of the mentions by others of the same type."""
        text = ""
        spans = []
        position = 0
        for start, end, kind in window.spans:
            text += window.text[position:start]
            mention = window.text[start:end]
            if kind in self.SWAPPED and generator.random() < 0.35:
                mention = generator.choice(self.mentions.get(self._group(window.lang, mention, kind), [mention]))
            spans.append((len(text), len(text) + len(mention), kind))
            text += mention
            position = end
        return replace(window, text=text + window.text[position:], spans=spans)


QUOTE_STYLES = [str.maketrans("«»“”", '""""'), str.maketrans("«»", "“”"), str.maketrans("“”", "«»")]


def capitals(text: str, generator: random.Random) -> str:
    """The whole text in capitals, or its beginning as in a headline; offsets stay."""
    end = text.find(" ", generator.randrange(len(text))) if generator.random() < 0.5 else -1
    end = len(text) if end < 0 else end
    upper = text[:end].upper()
    return upper + text[end:] if len(upper) == end else text


def augment(window: Window, names: Names, generator: random.Random) -> Window:
    """Now and then: other names, the other apostrophe, other quotes, capitals, no final full stop."""
    if generator.random() < 0.12 and window.lang in names.LANGUAGES:
        window = names.swap(window, generator)
    text = window.text
    if generator.random() < 0.25:
        text = text.replace("’", "'") if "’" in text else text.replace("'", "’")
    if generator.random() < 0.15:
        text = text.translate(generator.choice(QUOTE_STYLES))
    if generator.random() < 0.06:
        text = capitals(text, generator)
    window = replace(window, text=text)
    if generator.random() < 0.1 and text.endswith(".") and not any(end == len(text) for _, end, _ in window.spans):
        window = replace(window, text=text[:-1])
    return window


def permitted_elsewhere(types: list[str]) -> int:
    """The labels that a word outside all spans may have: O, or any label of a type that the corpus does not mark."""
    bits = 1
    for kind in TYPES:
        if kind not in types:
            bits |= 1 << begin(kind) | 1 << inside(kind)
    return bits


def encode(window: Window, tokenizer: Tokenizer, limit: int = MAX_TOKENS) -> Encoded:
    """Tokenise a window and align its spans with the tokenizer's words.

    A word that touches a span belongs to it. Tokens past `limit` are left out.
    """
    encoding = tokenizer.encode(window.text)
    ids = encoding.ids[:limit]
    elsewhere = permitted_elsewhere(window.types)
    firsts: list[int] = []
    ranges: list[tuple[int, int]] = []
    previous = None
    for position, (word, (start, end)) in enumerate(zip(encoding.word_ids[:limit], encoding.offsets)):
        if word is None:
            previous = None
            continue
        if word != previous:
            firsts.append(position)
            ranges.append((start, end))
            previous = word
        else:
            ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
    # The first token of a word may take in the white space before it.
    text = window.text
    trimmed = []
    for start, end in ranges:
        while start < end and text[start].isspace():
            start += 1
        trimmed.append((start, end))
    permitted = []
    spans = iter([*window.spans, (len(text) + 1, len(text) + 1, MASKED_TYPE)])
    span = next(spans)
    opened = None
    for start, end in trimmed:
        while span[1] <= start:
            span = next(spans)
        if start < span[1] and span[0] < end:
            kind = span[2]
            if kind == MASKED_TYPE:
                permitted.append(IGNORE)
            else:
                permitted.append(1 << (inside(kind) if opened is span else begin(kind)))
            opened = span
        else:
            permitted.append(elsewhere)
    return Encoded(ids, firsts, permitted, trimmed)


@dataclass
class Batch:
    """Padded token ids, their mask, and for each word the place of its first sub-word and its permitted labels.

    Places count through the flattened batch.
    """

    input_ids: Tensor
    attention_mask: Tensor
    firsts: Tensor
    permitted: Tensor
    tokens: int

    def to(self, device: torch.device) -> "Batch":
        tensors = (self.input_ids, self.attention_mask, self.firsts, self.permitted)
        return Batch(*(tensor.to(device) for tensor in tensors), self.tokens)


LABEL_BITS = 1 << torch.arange(len(LABELS))


def collate(rows: Sequence[Encoded]) -> Batch:
    """Pad `rows` to the longest one, rounded up to a multiple of 8."""
    width = -(-max(len(row.ids) for row in rows) // 8) * 8
    input_ids = torch.full((len(rows), width), PAD)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    firsts = []
    bits = []
    for number, row in enumerate(rows):
        input_ids[number, : len(row.ids)] = torch.tensor(row.ids)
        mask[number, : len(row.ids)] = 1
        firsts += [number * width + position for position in row.firsts]
        bits += row.permitted
    permitted = (torch.tensor(bits)[:, None] & LABEL_BITS) != 0
    return Batch(input_ids, mask, torch.tensor(firsts), permitted, sum(len(row.ids) for row in rows))


def batches(rows: Sequence[Encoded], tokens: int, generator: random.Random) -> Iterator[list[int]]:
    """Indices of `rows` in batches of about `tokens` padded tokens, rows of like length together, batches shuffled.

    Sorting happens within chunks, so that two epochs do not make the same batches.
    """
    order = list(range(len(rows)))
    generator.shuffle(order)
    chunk = 4096
    made = []
    for start in range(0, len(order), chunk):
        batch: list[int] = []
        longest = 0
        for index in sorted(order[start : start + chunk], key=lambda number: len(rows[number].ids)):
            longest = max(longest, len(rows[index].ids))
            if batch and longest * (len(batch) + 1) > tokens:
                made.append(batch)
                batch, longest = [], len(rows[index].ids)
            batch.append(index)
        made.append(batch)
    generator.shuffle(made)
    yield from made
