"""Two ways to run a tagger on encoded windows: the PyTorch module and the exported graph."""

from pathlib import Path
from typing import Protocol, Sequence

import numpy as np
import torch

from .encoder import Tagger
from .windows import Encoded, batches, collate
from .schedule import device, seeded


class Engine(Protocol):
    """Runs windows; returns for each the scores of its words, `[words, labels]`."""

    def run(self, rows: Sequence[Encoded]) -> list[np.ndarray]: ...


class TorchEngine:
    """The module itself, in padded batches; masked padding does not change the scores of a window."""

    BATCH_TOKENS = 4096

    def __init__(self, model: Tagger):
        self.model = model.to(device()).eval()

    @torch.inference_mode()
    def run(self, rows: Sequence[Encoded]) -> list[np.ndarray]:
        place = device()
        results: list[np.ndarray] = [np.empty(0)] * len(rows)
        for indices in batches(rows, self.BATCH_TOKENS, seeded("engine")):
            batch = collate([rows[index] for index in indices]).to(place)
            with torch.autocast(place.type, torch.bfloat16):
                states = self.model.encode(batch.input_ids, batch.attention_mask)
            logits = self.model.head(states.float().flatten(0, 1)[batch.firsts]).cpu().numpy()
            position = 0
            for index in indices:
                words = len(rows[index].firsts)
                results[index] = logits[position : position + words]
                position += words
        return results


class OnnxEngine:
    """The exported graph in ONNX Runtime, each window alone and unpadded, as the library runs it."""

    def __init__(self, path: Path, threads: int = 2):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, rows: Sequence[Encoded]) -> list[np.ndarray]:
        results = []
        for row in rows:
            ids = np.array([row.ids], dtype=np.int64)
            (logits,) = self.session.run(["logits"], {"input_ids": ids})
            results.append(logits[0, row.firsts])
        return results
