"""Dropout whose mask costs a few random words instead of a random float per element.

On a CPU torch's own dropout is bound by its Bernoulli sampler and took a fifth of a SASRec step.
Here each element compares 16 random bits to the keep probability, which is thereby rounded to
1/65536 (never to 0 or 1); the scale uses the rounded value, so the expectation is exact.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 1 << 16
DRAWS_PER_WORD = 4  # of 16 bits, in an int64


def dropout(x: Tensor, probability: float, training: bool) -> Tensor:
    """Zero elements with the given probability and scale the others up; identity outside training."""
    if not training or probability == 0.0:
        return x
    if x.device.type != "cpu" or torch.compiler.is_compiling():  # the compiler fuses its own draws
        return F.dropout(x, probability)
    return x * keep(x, probability)


def keep(x: Tensor, probability: float) -> Tensor:
    """What dropout multiplies `x` (on the CPU) by: 0, or the scale of what is kept."""
    kept_levels = min(max(round((1.0 - probability) * LEVELS), 1), LEVELS - 1)
    words = torch.empty(-(-x.numel() // DRAWS_PER_WORD), dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.int16)[: x.numel()].view(x.shape)
    # Compared straight into floats: by way of bool it costs five times as much.
    kept = torch.empty(x.shape, dtype=x.dtype)
    torch.lt(draws, kept_levels - LEVELS // 2, out=kept)
    return kept.mul_(LEVELS / kept_levels)
