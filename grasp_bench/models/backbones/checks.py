"""Check a backbone of another package before it is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from grasp_bench.core.errors import PluginError
from grasp_bench.core.plugins import blamed
from grasp_bench.models.backbones.base import Backbone
from grasp_bench.models.layout import Layout

LENGTHS = (3, 1, 4)


def check_backbone(backbone: Any, name: str, width: int) -> None:
    """Read three short sequences; PluginError names what differs from the contract of `Backbone`.

    States must be finite, one for each item, as wide as the items, and not depend on other sequences. Draws
    no random number.
    """
    if not isinstance(backbone, Backbone):
        raise PluginError(
            f"backbone '{name}': from_settings returned {type(backbone).__name__}",
            hint="return a subclass of grasp_bench.models.backbones.base.Backbone",
        )
    training = backbone.training
    backbone.eval()
    tokens = sum(LENGTHS)
    x_TD = torch.linspace(-1, 1, tokens * width).view(tokens, width)
    states = _states(backbone, name, x_TD, LENGTHS)
    if states.shape != x_TD.shape:
        raise PluginError(
            f"backbone '{name}': forward returned {tuple(states.shape)} for items of {tuple(x_TD.shape)}",
            hint="return one state of the same width for each item, in the same order",
        )
    if not states.isfinite().all():
        raise PluginError(f"backbone '{name}': forward returned NaN or infinity", hint="correct its forward")
    alone = _states(backbone, name, x_TD[: LENGTHS[0]], LENGTHS[:1])
    if not torch.allclose(alone, states[: LENGTHS[0]], atol=1e-4):
        raise PluginError(
            f"backbone '{name}': states of a sequence change with the other sequences of the batch",
            hint="read each sequence by itself: `layout` says where it begins",
        )
    backbone.train(training)


@torch.no_grad()
def _states(backbone: Backbone, name: str, x_TD: Tensor, lengths: tuple[int, ...]) -> Tensor:
    with blamed("backbone", name):
        states = backbone(x_TD, Layout(torch.tensor(lengths)))
    if not isinstance(states, Tensor):
        raise PluginError(
            f"backbone '{name}': forward returned {type(states).__name__}", hint="return a tensor of states"
        )
    return states
