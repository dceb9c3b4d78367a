"""Check an enhancer of another package before it is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from grasp_bench.core.errors import PluginError
from grasp_bench.core.plugins import blamed
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.base import Enhancer
from grasp_bench.models.layout import Layout

LENGTHS = (3, 1)


@torch.no_grad()
def check_enhancer(enhancer: Any, name: str, width: int) -> None:
    """Embed two short histories; PluginError names what differs from the contract of `Enhancer`.

    Vectors must be finite and `views` times as wide as the states. Draws no random number.
    """
    if not isinstance(enhancer, Enhancer):
        raise PluginError(
            f"enhancer '{name}': from_settings returned {type(enhancer).__name__}",
            hint="return a subclass of grasp_bench.models.enhancers.base.Enhancer",
        )
    training = enhancer.training
    enhancer.eval()
    items_T = torch.zeros(sum(LENGTHS), dtype=torch.int64)
    layout = Layout(torch.tensor(LENGTHS))
    history = History(torch.zeros(len(LENGTHS), dtype=torch.int64), items_T, layout)
    candidates = Candidates(torch.zeros(2, 1, dtype=torch.int64), torch.arange(2), layout.lengths_B)
    with blamed("enhancer", name):
        tokens, behind = enhancer.embed(history, candidates)
    wide = width * enhancer.views
    _require(tokens, (sum(LENGTHS), wide), f"enhancer '{name}': embed gives a history")
    _require(behind, (2, 1, wide), f"enhancer '{name}': embed gives candidates")
    enhancer.train(training)


def _require(vectors: Any, shape: tuple[int, ...], who: str) -> None:
    if not isinstance(vectors, Tensor) or vectors.shape != shape:
        found = tuple(vectors.shape) if isinstance(vectors, Tensor) else type(vectors).__name__
        raise PluginError(f"{who} {found}", hint=f"return a tensor of shape {shape}")
    if not vectors.isfinite().all():
        raise PluginError(f"{who} NaN or infinity", hint="correct its embed")
