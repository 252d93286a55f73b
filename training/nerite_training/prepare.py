"""Stage 1: corpora in their own formats → items in one format, and the pruned vocabulary."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Iterator

from . import e5, vocabulary
from .conll import read_conll
from .corpus import Item, write_items
from .labels import LANGUAGES, TYPES
from .markup import read_markup

VOCABULARY_SIZE = 64_000
READERS = {".txt": read_markup, ".conll": read_conll}
UNLABELLED = "unlabelled"


def import_corpora(source: Path, data: Path) -> int:
    """Copy the corpora of the model's languages from `source` (with `train/` and `unlabelled/`) into `data`."""
    copied = 0
    folders = [(source / "train" / lang, data / lang) for lang in LANGUAGES]
    for origin, target in [*folders, (source / UNLABELLED, data / UNLABELLED)]:
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(origin.iterdir()):
            shutil.copyfile(path, target / path.name)
            copied += 1
    return copied


def _key(text: str) -> str:
    """What two versions of a sentence share however they are spaced and quoted."""
    return "".join(filter(str.isalnum, text)).lower()


def read_labelled(data: Path) -> Iterator[Item]:
    """All labelled items under `data`; a sentence that a ten-type file has is left out of the three-type files.

    Several corpora contain the same sentences; two labellings of one sentence would only contradict each other.
    """
    complete = set()
    for suffix in sorted(READERS, reverse=True):  # .txt, all ten types, before .conll
        for lang in LANGUAGES:
            for path in sorted((data / lang).glob(f"*{suffix}")):
                for item in READERS[suffix](path, lang, f"{lang}/{path.stem}"):
                    key = _key(item.text)
                    if key in complete:
                        continue
                    if len(item.types) == len(TYPES):
                        complete.add(key)
                    yield item


def read_unlabelled(data: Path, known: set[str]) -> Iterator[Item]:
    """The raw sentences under `data/unlabelled` that no labelled item has; they mark no type at all."""
    for path in sorted((data / UNLABELLED).glob("*.txt")):
        lang = path.name.split(".")[1]
        with path.open(encoding="utf-8") as file:
            for line in file:
                text = line.strip()
                if text and _key(text) not in known:
                    yield Item(lang, f"{UNLABELLED}/{path.stem}", text, [], [])


def prepare(data: Path, work: Path) -> None:
    """Write `items.jsonl`, `unlabelled.jsonl`, `tokenizer.json`, `vocabulary.json` and `summary.json` into `work`.

    An existing vocabulary is kept: checkpoints hang on its numbering.
    """
    work.mkdir(parents=True, exist_ok=True)
    labelled = list(read_labelled(data))
    unlabelled = list(read_unlabelled(data, {_key(item.text) for item in labelled if len(item.types) == len(TYPES)}))
    write_items(work / "items.jsonl", labelled)
    write_items(work / "unlabelled.jsonl", unlabelled)
    if not (work / "vocabulary.json").exists():
        base = e5.read(e5.installed_file())
        kept = vocabulary.choose(base, (item.text for item in labelled + unlabelled), VOCABULARY_SIZE)
        vocabulary.write(base, kept, work)
    summary: dict[str, Counter[str]] = {}
    for item in labelled + unlabelled:
        counts = summary.setdefault(item.corpus, Counter())
        counts["items"] += 1
        counts["characters"] += len(item.text)
        counts.update(kind for _, _, kind in item.spans)
    (work / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False))
    print(f"prepared {len(labelled)} labelled and {len(unlabelled)} unlabelled items in {work}")
