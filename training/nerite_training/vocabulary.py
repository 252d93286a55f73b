"""Prunes XLM-R's 250,002 pieces to those of nine European languages and writes `tokenizer.json`.

Most of the original vocabulary serves scripts and languages that the model does not read, and the embeddings are two
thirds of the shipped file. A dropped piece is no loss of text: the words that used it split into smaller pieces.
"""

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from .e5 import E5File

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
BOS, PAD, EOS, UNK = range(4)
SPACE = "▁"

# Letters of the nine languages beyond a-z and the Russian alphabet, and of the names that their newspapers print.
EXTRA_LETTERS = set("àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿœßąćęłńśźżčďěňřšťůžăâîșțşţğıőűđёĺľŕāēīōūģķļņėįųı")
CYRILLIC = set("абвгдеёжзийклмнопрстуфхцчшщъыьэюя")
LETTERS = set("abcdefghijklmnopqrstuvwxyz") | EXTRA_LETTERS | CYRILLIC


def fits(piece: str) -> bool:
    """Whether `piece` can occur in text of the nine languages."""
    body = piece.replace(SPACE, "").lower()
    letters = [char for char in body if char.isalpha()]
    if any(char not in LETTERS for char in letters):
        # Single foreign letters of the readable scripts stay, so that a rare name does not turn into <unk>.
        return len(body) == 1 and unicodedata.name(body, "").split(" ")[0] in {"LATIN", "CYRILLIC", "GREEK"}
    if any(char in CYRILLIC for char in letters) and any(char not in CYRILLIC for char in letters):
        return False
    return True


def build_tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """A unigram tokenizer whose words are what carries labels.

    Words end at white space, after an apostrophe (`dell'` + `Alibaba`) and at each sign but `.` and `&`, which belong
    to many names. A final full stop is a word of its own; an English `'s` is cut off whole, and then becomes two words.
    """
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=UNK, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always", split=True),
            pre_tokenizers.Split(Regex(r"['’](?:s|S)$"), behavior="isolated"),
            pre_tokenizers.Split(Regex(r"['’‘`]"), behavior="merged_with_previous"),
            pre_tokenizers.Split(Regex(r"▁?[^\p{L}\p{M}\p{N}\s▁'’‘`.&]"), behavior="isolated"),
            pre_tokenizers.Split(Regex(r'\.+$|\.(?=[\)\]»”\"])'), behavior="isolated"),
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", BOS), ("</s>", EOS)]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in SPECIAL])
    return tokenizer


def choose(base: E5File, texts: Iterable[str], size: int) -> list[int]:
    """Ids (in the base vocabulary) of the `size` pieces to keep, the four special ones first.

    What the texts use comes first, the most frequent before the rest; then the base model's own ranking by score among
    the pieces that fit the nine languages. The text alone would be too little to choose by.
    """
    scored = list(zip(base.pieces, map(float, base.scores)))
    full = build_tokenizer(scored)
    counts: Counter[int] = Counter()
    for encoding in full.encode_batch(list(texts), add_special_tokens=False):
        counts.update(encoding.ids)
    used = [number for number, _ in counts.most_common() if number > UNK and fits(base.pieces[number])]
    seen = set(used)
    rest = [
        number
        for number in range(len(SPECIAL), len(base.pieces))
        if number not in seen and base.pieces[number] not in ("<mask>", "") and fits(base.pieces[number])
    ]
    # A single character is the last resort of every word: all that fit stay.
    rest.sort(key=lambda number: (len(base.pieces[number]) > 1, -float(base.scores[number])))
    kept = (used + rest)[: size - len(SPECIAL)]
    return list(range(len(SPECIAL))) + sorted(kept)


def write(base: E5File, kept: list[int], directory: Path) -> None:
    """Write `tokenizer.json` and, for the embeddings, `vocabulary.json`: the base id of each kept piece."""
    pieces = [(base.pieces[number], float(base.scores[number])) for number in kept]
    build_tokenizer(pieces).save(str(directory / "tokenizer.json"))
    (directory / "vocabulary.json").write_text(json.dumps(kept))
