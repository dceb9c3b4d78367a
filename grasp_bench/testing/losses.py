"""The contract of losses, on made-up scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from grasp_bench.components import LOSSES
from grasp_bench.spec.plugins import use_latest_plugin
from grasp_bench.spec.training import Loss
from grasp_bench.training.losses import Negatives

ITEMS = 1000


@dataclass
class MadeUp:
    """Scores of the targets (S,) and of negatives (S, N), which are the rest of the catalogue."""

    positive: Tensor
    others: Tensor

    def positives(self) -> Tensor:
        """Return the scores of the targets."""
        return self.positive

    def negatives(self) -> Negatives:
        """Return the scores of the negatives."""
        return Negatives(self.others, torch.arange(-3.0, self.others.shape[1] - 3))

    def mean_log_partition(self) -> Tensor:
        """Return the mean over positions of log Σ exp(score)."""
        return torch.cat([self.positive[:, None], self.others], 1).logsumexp(1).mean()


def check_loss(name: str, **keys: Any) -> None:
    """Check a loss, by its name or "module:Class", built with its default keys and `keys`.

    It falls as a target's score rises, stays finite with its gradients for scores of any size, and gains
    nothing at first by moving all scores alike: or else training spends its first epochs on that, and the
    states become the same for everybody.

    Example:
        >>> check_loss("gbce", calibration=0.5)
    """
    use_latest_plugin(LOSSES, name)
    asked = Loss.model_validate({"kind": name, **keys}).effective()
    with LOSSES.blamed(name):
        loss = LOSSES.implementation(name).from_settings(asked, ITEMS)
        _falls_and_stays_finite(loss, name)
        shift = torch.zeros((), requires_grad=True)
        loss(MadeUp(torch.zeros(4) + shift, torch.zeros(4, 256) + shift)).backward()
        assert shift.grad is not None
        moved = abs(float(shift.grad))
        assert moved < 1e-5, f"loss '{name}': moving all scores of 0 alike has the gradient {moved:.3g}"


def _falls_and_stays_finite(loss: Any, name: str) -> None:
    others = torch.tensor([[1.0, -2.0, -math.inf], [80.0, -90.0, 0.5], [-math.inf] * 3])
    values = []
    for target in (-200.0, -1.0, 0.0, 1.0, 200.0):
        positive = torch.tensor([target] * 3, requires_grad=True)
        value = loss(MadeUp(positive, others))
        assert value.shape == (), f"loss '{name}' returns {tuple(value.shape)} and no scalar"
        value.backward()
        values.append(float(value.detach()))
        gradient = positive.grad
        assert gradient is not None, f"loss '{name}': the scores of targets get no gradient"
        assert gradient.isfinite().all(), f"loss '{name}': the gradient is not finite at {target}"
    assert all(map(math.isfinite, values)), f"loss '{name}' is not finite: {values}"
    assert values == sorted(values, reverse=True), f"loss '{name}' does not fall as targets rise: {values}"
