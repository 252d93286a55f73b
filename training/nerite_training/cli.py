"""Arguments of the stages, and `run`, which goes through them all."""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer

from . import transformers_format
from .agree import agree
from .distil import PLANS, distil
from .engines import OnnxEngine, TorchEngine
from .evaluate import report
from .export import export
from .prepare import import_corpora, prepare
from .schedule import load_model
from .train import SEED, train

HERE = Path(__file__).resolve().parent.parent
HELD_OUT = sorted((HERE.parent / "tests" / "corpus" / "it").glob("*.txt"))
TEACHER_TOKENS = 12_000_000
SOFT_TOKENS = 4_000_000
STUDENT_TOKENS = 14_000_000
VERSION = "0.2.0"


def parse() -> argparse.Namespace:
    """The command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", type=Path, default=HERE / "data", help="licensed corpora, a folder a language")
    common.add_argument("--work", type=Path, default=HERE / "work", help="items, checkpoints, soft labels")
    common.add_argument("--mixture", type=Path, default=HERE / "mixture.toml", help="sampling rates")
    common.add_argument("--threads", type=int, default=2)

    parser = argparse.ArgumentParser(prog="nerite_training")
    stages = parser.add_subparsers(dest="stage", required=True)

    stage = stages.add_parser("prepare", parents=[common], help="corpora → items and vocabulary")
    stage.add_argument("--import", dest="source", type=Path, help="first copy corpora from here into --data")

    stage = stages.add_parser("train", parents=[common], help="train the teacher")
    stage.add_argument("--tokens", type=int, default=TEACHER_TOKENS, help="length of the run")
    stage.add_argument("--from", dest="start", type=Path, help="begin from this tagger, not from the base encoder")
    stage.add_argument("--seed", type=int, default=SEED, help="of the windows that are drawn")

    stage = stages.add_parser("distil", parents=[common], help="train a student on the teacher's distributions")
    stage.add_argument("--student", choices=PLANS, default="small")
    stage.add_argument("--soft-tokens", type=int, default=SOFT_TOKENS, help="text for the teacher to label")
    stage.add_argument("--tokens", type=int, default=STUDENT_TOKENS, help="length of the run")
    stage.add_argument("--from", dest="start", type=Path, help="begin from this student, not from a larger tagger's layers")

    stage = stages.add_parser("export", parents=[common], help="tagger → model directory")
    stage.add_argument("tagger", type=Path, help="a .pt file of `train` or `distil`")
    stage.add_argument("target", type=Path)
    stage.add_argument("--version", default=VERSION)
    stage.add_argument("--held-out", type=Path, nargs="*", default=HELD_OUT, help="annotated files to calibrate on")

    stage = stages.add_parser("agree", parents=[common], help="compare the engines and the precisions")
    stage.add_argument("model", type=Path, help="model directory")
    stage.add_argument("exact", type=Path, help="the 32-bit one that `export` wrote beside it")
    stage.add_argument("files", type=Path, nargs="*", default=HELD_OUT, help="annotated files whose texts to run")

    stage = stages.add_parser("transformers", help="model directory → the format of Hugging Face's transformers")
    stage.add_argument("model", type=Path, help="model directory, with a graph of `export`")
    stage.add_argument("target", type=Path)
    stage.add_argument("--threads", type=int, default=2)

    stage = stages.add_parser("evaluate", parents=[common], help="exact-span F1 of a tagger or a graph")
    stage.add_argument("model", type=Path, help="a .pt file, or an .onnx file beside its tokenizer.json")
    stage.add_argument("files", type=Path, nargs="+", help=".txt with inline markup or .conll")
    stage.add_argument("--limit", type=int, help="only the first items of each file")
    stage.add_argument("--out", type=Path, help="write the figures as JSON")

    stage = stages.add_parser("run", parents=[common], help="all stages; resumes where it stopped")
    stage.add_argument("--teacher-tokens", type=int, default=TEACHER_TOKENS)
    stage.add_argument("--soft-tokens", type=int, default=SOFT_TOKENS)
    stage.add_argument("--student-tokens", type=int, default=STUDENT_TOKENS)
    stage.add_argument("--target", type=Path, help="model directory (default: work/model)")
    stage.add_argument("--version", default=VERSION)
    stage.add_argument("--evaluate", type=Path, nargs="*", default=[], help="annotated files to measure on")
    return parser.parse_args()


def evaluate(model: Path, work: Path, files: list[Path], limit: int | None, out: Path | None) -> None:
    """Measure a tagger or an exported graph."""
    if model.suffix == ".onnx":
        engine, directory = OnnxEngine(model), model.parent
    else:
        engine, directory = TorchEngine(load_model(model)), work
    report(engine, Tokenizer.from_file(str(directory / "tokenizer.json")), files, limit, out)


def main() -> None:
    """Run one stage, or all."""
    options = parse()
    torch.set_num_threads(options.threads)
    match options.stage:
        case "prepare":
            if options.source:
                print(import_corpora(options.source, options.data), "files copied")
            prepare(options.data, options.work)
        case "train":
            train(options.work, options.mixture, options.tokens, options.start, options.seed)
        case "distil":
            distil(options.work, options.mixture, options.soft_tokens, options.tokens, options.student, options.start)
        case "export":
            export(options.work, options.tagger, options.target, options.version, options.held_out)
        case "agree":
            agree(options.model, options.exact, options.files)
        case "transformers":
            transformers_format.write(options.model, options.target)
        case "evaluate":
            evaluate(options.model, options.work, options.files, options.limit, options.out)
        case "run":
            target = options.target or options.work / "model"
            prepare(options.data, options.work)
            train(options.work, options.mixture, options.teacher_tokens)
            student = distil(options.work, options.mixture, options.soft_tokens, options.student_tokens)
            export(options.work, student, target, options.version, HELD_OUT)
            if options.evaluate:
                evaluate(target / "model.onnx", options.work, options.evaluate, None, target / "figures.json")
