"""Stage 2: the teacher, all layers of the base encoder, trained on the labelled items."""

import json
import tomllib
from pathlib import Path

import torch
from tokenizers import Tokenizer

from . import e5
from .corpus import read_items
from .encoder import Tagger, from_e5
from .losses import partial_cross_entropy
from .schedule import Run, device, load_model, save_model, seeded
from .windows import Names, augment, batches, by_corpus, collate, draw_epoch, encode

SEED = 20
BATCH_TOKENS = 2048
PEAK_RATE = 2.5e-4
EMBEDDING_FACTOR = 0.25


def read_mixture(path: Path) -> list[tuple[str, float]]:
    """The sampling rates of `mixture.toml`."""
    return [(pattern, rate) for pattern, rate in tomllib.loads(path.read_text())["rates"]]


def fresh(work: Path) -> Tagger:
    """The base encoder with the pruned vocabulary and a new head."""
    torch.manual_seed(SEED)
    return from_e5(e5.read(e5.installed_file()), json.loads((work / "vocabulary.json").read_text()))


def train(work: Path, mixture: Path, budget: int, start: Path | None = None, seed: int = SEED) -> Path:
    """Train until `budget` tokens have passed; returns the path of the finished teacher.

    Resumes from `work/ckpt/teacher.progress.pt`. With `start`, begins from a finished tagger, not the base encoder;
    another `seed` then draws other windows than that one has seen.
    """
    finished = work / "ckpt" / "teacher.pt"
    if finished.exists():
        return finished
    place = device()
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    corpora = by_corpus(list(read_items(work / "items.jsonl")))
    names = Names([item for items in corpora.values() for item in items])
    rates = read_mixture(mixture)
    model = (load_model(start) if start else fresh(work)).to(place)
    run = Run(model, work / "ckpt" / "teacher.progress.pt", budget, PEAK_RATE, EMBEDDING_FACTOR)
    while not run.done:
        generator = seeded(seed, "teacher", run.epoch)
        windows = draw_epoch(corpora, rates, generator)
        rows = [encode(augment(window, names, generator), tokenizer) for window in windows]
        for indices in list(batches(rows, BATCH_TOKENS, generator))[run.step :]:
            batch = collate([rows[index] for index in indices]).to(place)
            with torch.autocast(place.type, torch.bfloat16):
                states = model.encode(batch.input_ids, batch.attention_mask)
                logits = model.head(states.flatten(0, 1)[batch.firsts])
            run.learn(partial_cross_entropy(logits, batch.permitted), batch.tokens)
            if run.done:
                break
        else:
            run.next_epoch()
    save_model(model, finished)
    return finished
