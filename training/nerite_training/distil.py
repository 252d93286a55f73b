"""Stage 3: a student, made of some layers of a larger tagger and trained to give the teacher's distributions.

The teacher labels a fixed draw of windows once (labelled and unlabelled text, sentences and runs of them). A student
then goes over them as often as the budget allows, at twice the speed of running both side by side.
"""

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from .codebook import quantise_embeddings
from .corpus import read_items
from .encoder import Tagger, as_int8, student_of
from .engines import TorchEngine
from .losses import distillation, partial_cross_entropy
from .schedule import Run, device, load_model, save_atomically, save_model, seeded
from .train import read_mixture
from .windows import Encoded, Names, augment, batches, by_corpus, collate, draw_epoch, encode

SEED = 21
BATCH_TOKENS = 2048
PEAK_RATE = 3e-4
TEMPERATURE = 2.0
LABEL_SHARE = 0.3  # weight of the gold labels beside the teacher's distribution
ROUNDED_SHARE = 0.25  # share of the run, its last, in which the student computes with the rounding of int8
SHARD_ROWS = 2048
SAMPLE_ROWS = 512  # windows on which the feed-forwards' neurons are measured


@dataclass(frozen=True)
class Plan:
    """What a student is made of."""

    origin: str  # the finished tagger whose layers it takes
    layers: list[int]  # which of them, counted from 0
    feed_forward: int | None = None  # how many neurons of each feed-forward; all without
    embedding_bytes: int | None = None  # bytes a piece, if its embedding is to be made of codes


PLANS = {
    "small": Plan("teacher", [1, 3, 5, 7, 9, 11]),
    "tiny": Plan("small", [0, 1, 2, 4], feed_forward=768, embedding_bytes=64),
}


def draw_rows(work: Path, mixture: Path, tokens: int) -> list[Encoded]:
    """Encoded windows of labelled and unlabelled text, `tokens` tokens in all, drawn epoch after epoch."""
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    labelled = list(read_items(work / "items.jsonl"))
    corpora = by_corpus(labelled + list(read_items(work / "unlabelled.jsonl")))
    names = Names(labelled)
    rates = read_mixture(mixture)
    rows: list[Encoded] = []
    for draw in itertools.count():
        generator = seeded(SEED, "soft", draw)
        for window in draw_epoch(corpora, rates, generator):
            if tokens <= 0:
                return rows
            rows.append(encode(augment(window, names, generator), tokenizer))
            tokens -= len(rows[-1].ids)


def label_softly(work: Path, mixture: Path, teacher: Path, tokens: int) -> list[Path]:
    """Let the teacher label drawn windows; shards that exist already, also of a shorter draw, are kept."""
    folder = work / "soft"
    complete = folder / "complete"
    if not complete.exists() or complete.read_text() != str(tokens):
        folder.mkdir(parents=True, exist_ok=True)
        rows = draw_rows(work, mixture, tokens)
        engine = TorchEngine(load_model(teacher))
        paths = []
        for number, start in enumerate(range(0, len(rows), SHARD_ROWS)):
            path = folder / f"{number:03d}.pt"
            paths.append(path)
            part = rows[start : start + SHARD_ROWS]
            if path.exists() and len(torch.load(path, weights_only=True)) == len(part):
                continue
            scores = [torch.from_numpy(one).half() for one in engine.run(part)]
            save_atomically([(r.ids, r.firsts, r.permitted, s) for r, s in zip(part, scores)], path)
            print(f"{time.strftime('%H:%M:%S')} {path.name}: {sum(len(r.ids) for r in part)} tokens", flush=True)
        for path in set(folder.glob("[0-9]*.pt")) - set(paths):
            path.unlink()
        complete.write_text(str(tokens))
    return sorted(folder.glob("[0-9]*.pt"))


def read_shards(paths: list[Path]) -> tuple[list[Encoded], list[torch.Tensor]]:
    """The windows of the shards, and for each the teacher's scores of its words."""
    rows, scores = [], []
    for path in paths:
        for ids, firsts, permitted, row_scores in torch.load(path, weights_only=True):
            rows.append(Encoded(ids, firsts, permitted))
            scores.append(row_scores)
    return rows, scores


@torch.no_grad()
def strongest_neurons(model: Tagger, rows: list[Encoded], count: int) -> list[Tensor]:
    """Of each layer's feed-forward, the `count` neurons that add most to its output: mean square × squared weights."""
    squares = [torch.zeros(model.shape.feed_forward) for _ in model.layers]

    def watch(total: Tensor):
        return lambda module, inputs: total.add_(inputs[0].float().square().sum((0, 1)).cpu())

    hooks = [layer.narrow.register_forward_pre_hook(watch(total)) for layer, total in zip(model.layers, squares)]
    TorchEngine(model).run(rows)
    for hook in hooks:
        hook.remove()
    shares = [total * layer.narrow.weight.square().sum(0).cpu() for layer, total in zip(model.layers, squares)]
    return [share.topk(count).indices.sort().values for share in shares]


def begin(plan: Plan, work: Path, rows: list[Encoded]) -> Tagger:
    """The student of `plan` before its training."""
    origin = load_model(work / "ckpt" / f"{plan.origin}.pt")
    neurons = strongest_neurons(origin, rows[:SAMPLE_ROWS], plan.feed_forward) if plan.feed_forward else None
    student = student_of(origin, plan.layers, neurons)
    if not plan.embedding_bytes:
        return student
    words = quantise_embeddings(origin.words.weight, plan.embedding_bytes, SEED)
    return student.with_words(words)


def distil(
    work: Path, mixture: Path, soft_tokens: int, budget: int, name: str = "small", start: Path | None = None
) -> Path:
    """Train the student `name` on `soft_tokens` tokens, over and over until `budget` have passed; returns its path.

    Resumes from `work/ckpt/NAME.progress.pt`. The embeddings are not trained, but what codes mean is. With `start`,
    begins with the layers and the head of an earlier student of the same plan.
    """
    finished = work / "ckpt" / f"{name}.pt"
    if finished.exists():
        return finished
    place = device()
    rows, scores = read_shards(label_softly(work, mixture, work / "ckpt" / "teacher.pt", soft_tokens))
    torch.manual_seed(SEED)
    plan = PLANS[name]
    student = begin(plan, work, rows)
    if start:
        words = {key: value for key, value in student.state_dict().items() if key.startswith("words.")}
        student.load_state_dict({**load_model(start).state_dict(), **words})
    if not plan.embedding_bytes:
        # They are not trained here, so they can be what the int8 graph will hold from the beginning.
        student.words.weight.data = as_int8(student.words.weight)
    student.to(place)
    factor = 1.0 if plan.embedding_bytes else 0.0
    run = Run(student, finished.with_suffix(".progress.pt"), budget, PEAK_RATE, embedding_factor=factor)
    while not run.done:
        generator = seeded(SEED, name, run.epoch)
        for indices in list(batches(rows, BATCH_TOKENS, generator))[run.step :]:
            batch = collate([rows[index] for index in indices]).to(place)
            target = torch.cat([scores[index] for index in indices]).to(place)
            if run.seen > (1 - ROUNDED_SHARE) * budget:
                student.round_as_int8()
            with torch.autocast(place.type, torch.bfloat16):
                states = student.encode(batch.input_ids, batch.attention_mask)
                logits = student.head(states.flatten(0, 1)[batch.firsts])
            loss = distillation(logits, target, TEMPERATURE)
            loss = loss + LABEL_SHARE * partial_cross_entropy(logits, batch.permitted)
            run.learn(loss, batch.tokens)
            if run.done:
                break
        else:
            run.next_epoch()
    save_model(student, finished)
    return finished
