"""What both training stages share: optimiser, learning rate by progress, checkpoints that survive a kill."""

import os
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .encoder import Shape, Tagger

WARM_UP = 0.05  # share of the run in which the learning rate rises
WEIGHT_DECAY = 0.01
CHECKPOINT_SECONDS = 300
REPORT_STEPS = 50


def optimiser(model: Tagger, rate: float, embedding_factor: float) -> torch.optim.AdamW:
    """AdamW with a lower rate for the embeddings (none at factor 0) and no decay of vectors and embeddings.

    Most pieces of the vocabulary do not occur in the training text. The further the others move, the less the encoder
    knows of those.
    """
    matrices, vectors = [], []
    for name, parameter in model.named_parameters():
        if not name.startswith("words."):
            (matrices if parameter.ndim == 2 else vectors).append(parameter)
    groups = [
        {"params": matrices, "weight_decay": WEIGHT_DECAY, "factor": 1.0},
        {"params": vectors, "weight_decay": 0.0, "factor": 1.0},
    ]
    if embedding_factor:
        groups.append({"params": [*model.words.parameters()], "weight_decay": 0.0, "factor": embedding_factor})
    else:
        for parameter in model.words.parameters():
            parameter.requires_grad_(False)
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def set_rate(optimizer: torch.optim.Optimizer, peak: float, progress: float) -> None:
    """Linear warm-up, then linear decay to zero at `progress` 1."""
    share = progress / WARM_UP if progress < WARM_UP else max(0.0, (1 - progress) / (1 - WARM_UP))
    for group in optimizer.param_groups:
        group["lr"] = peak * share * group["factor"]


def device() -> torch.device:
    """A GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def save_atomically(value: Any, path: Path) -> None:
    """Write a checkpoint so that a kill at any moment leaves the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save(value, temporary)
    os.replace(temporary, path)


def save_model(model: Tagger, path: Path) -> None:
    """Write the weights and the shape of a finished tagger."""
    save_atomically({"shape": asdict(model.shape), "weights": model.state_dict()}, path)


def load_model(path: Path, dropout: float = 0.1) -> Tagger:
    """The tagger that `save_model` wrote."""
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = Tagger(Shape(**saved["shape"]), dropout)
    model.load_state_dict(saved["weights"])
    return model


def seeded(*parts: object) -> random.Random:
    """A generator that depends on `parts` alone: each epoch can be drawn again after a resume."""
    return random.Random("/".join(map(str, parts)))


class Run:
    """A training run in progress: its optimiser, how far it is, and its checkpoint on disk.

    `epoch` and `step` say where the next batch lies: a resumed run goes on with the batch after the last one saved.
    """

    def __init__(self, model: Tagger, checkpoint: Path, budget: int, peak: float, embedding_factor: float):
        self.model = model
        self.checkpoint = checkpoint
        self.budget = budget
        self.peak = peak
        self.optimizer = optimiser(model, peak, embedding_factor)
        self.seen = self.epoch = self.step = 0
        if checkpoint.exists():
            saved = torch.load(checkpoint, map_location=device(), weights_only=True)
            model.load_state_dict(saved["weights"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.seen, self.epoch, self.step = saved["seen"], saved["epoch"], saved["step"]
            print(f"resumed at {self.seen} tokens, epoch {self.epoch}, step {self.step}", flush=True)
        model.train()
        self._saved = self._reported = time.monotonic()
        self._losses: list[float] = []
        self._seen_reported = self.seen

    @property
    def done(self) -> bool:
        """Whether the budget of tokens is spent."""
        return self.seen >= self.budget

    def learn(self, loss: Tensor, tokens: int) -> None:
        """One step of the optimiser on `loss`, made from `tokens` tokens; reports and saves when it is time."""
        set_rate(self.optimizer, self.peak, self.seen / self.budget)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.seen += tokens
        self.step += 1
        self._losses.append(loss.item())
        now = time.monotonic()
        if len(self._losses) == REPORT_STEPS:
            speed = (self.seen - self._seen_reported) / (now - self._reported)
            mean = sum(self._losses) / len(self._losses)
            print(
                f"{time.strftime('%H:%M:%S')} epoch {self.epoch} step {self.step} tokens {self.seen} "
                f"loss {mean:.4f} {speed:.0f} tokens/s",
                flush=True,
            )
            self._reported, self._seen_reported, self._losses = now, self.seen, []
        if now - self._saved > CHECKPOINT_SECONDS:
            self.save()
            self._saved = now

    def next_epoch(self) -> None:
        """All batches of this epoch are done."""
        self.epoch, self.step = self.epoch + 1, 0

    def save(self) -> None:
        """Write the checkpoint."""
        state = {"weights": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        save_atomically({**state, "seen": self.seen, "epoch": self.epoch, "step": self.step}, self.checkpoint)
