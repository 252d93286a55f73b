"""Losses: cross entropy over sets of permitted labels, and distillation."""

import torch
import torch.nn.functional as F
from torch import Tensor


def partial_cross_entropy(logits: Tensor, permitted: Tensor) -> Tensor:
    """Mean of -log Σ p(label) over the permitted labels of each word; words that permit none are left out.

    With one permitted label this is cross entropy. Where a corpus does not mark a type, `O` permits that type's labels
    too (marginal likelihood of partial annotation).
    """
    known = permitted.any(dim=1)
    scores = logits.float()[known]
    allowed = scores.masked_fill(~permitted[known], float("-inf"))
    return (scores.logsumexp(dim=1) - allowed.logsumexp(dim=1)).sum() / max(int(known.sum()), 1)


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence from the teacher's distribution at `temperature`, scaled back by its square."""
    target = F.log_softmax(teacher.float() / temperature, dim=1)
    guess = F.log_softmax(student.float() / temperature, dim=1)
    return F.kl_div(guess, target, log_target=True, reduction="batchmean") * temperature**2
