"""The contract of backbones: a backbone is asked what it claims.

`causal` says that it never looks ahead, `reads_order` that the order of a history counts.
"""

from __future__ import annotations

from typing import Any

import torch

from grasp_bench.components import BACKBONES
from grasp_bench.models.backbones.base import Backbone
from grasp_bench.models.backbones.checks import check_backbone as check_states
from grasp_bench.models.layout import Layout
from grasp_bench.spec.model import Model
from grasp_bench.spec.plugins import use_latest_plugin

WIDTH, LONGEST = 8, 12


def check_backbone(name: str, **keys: Any) -> None:
    """Check a backbone, by its name or "module:Class", built with its default keys and `keys`.

    Raises AssertionError or PluginError that says what is broken; UnknownNameError for a class that cannot
    be imported.

    Example:
        >>> check_backbone("gru4rec", layers=2)
    """
    use_latest_plugin(BACKBONES, name)
    settings = Model(**{"embedding_dim": WIDTH, "max_len": LONGEST, "backbone": name, **keys}).effective()
    torch.manual_seed(5)
    backbone = BACKBONES.implementation(name).from_settings(settings)
    check_states(backbone, name, WIDTH)
    backbone.eval()
    for check in (_looks_ahead_as_it_says, _reads_order_as_it_says, _reads_full_histories, _learns):
        check(backbone, name)


def _looks_ahead_as_it_says(backbone: Backbone, name: str) -> None:
    layout, x_TD = Layout(torch.tensor([9])), torch.randn(9, WIDTH)
    changed_TD = x_TD.clone()
    changed_TD[5:] = torch.randn(4, WIDTH)
    same = torch.allclose(backbone(x_TD, layout)[:5], backbone(changed_TD, layout)[:5], atol=1e-6)
    ahead = "does not look ahead" if same else "looks ahead"
    assert same == backbone.causal, f"backbone '{name}' {ahead}, but says causal = {backbone.causal}"


def _reads_order_as_it_says(backbone: Backbone, name: str) -> None:
    layout, x_TD = Layout(torch.tensor([6])), torch.randn(6, WIDTH)
    swapped_TD = x_TD[torch.tensor([1, 0, 2, 3, 4, 5])]
    same = torch.allclose(backbone(x_TD, layout)[-1], backbone(swapped_TD, layout)[-1], atol=1e-5)
    said = f"reads_order = {backbone.reads_order}"
    assert same != backbone.reads_order, f"backbone '{name}' says {said}: swapped items say otherwise"


def _reads_full_histories(backbone: Backbone, name: str) -> None:
    history = Layout(torch.tensor([LONGEST, 4]))
    x_TD, layout = backbone.prepare_history(torch.randn(LONGEST + 4, WIDTH), history)
    states = backbone(x_TD, layout)[layout.last_B]
    assert states.shape == (2, WIDTH), f"backbone '{name}' gives {tuple(states.shape)} after two histories"


def _learns(backbone: Backbone, name: str) -> None:
    """Gradients are finite and reach the items and every parameter."""
    backbone.train()
    x_TD = torch.randn(11, WIDTH, requires_grad=True)
    prepared_TD, layout = backbone.prepare_history(x_TD, Layout(torch.tensor([3, 1, 7])))
    backbone(prepared_TD, layout).square().sum().backward()
    for what, gradient in [("the items", x_TD.grad), *((n, p.grad) for n, p in backbone.named_parameters())]:
        assert gradient is not None, f"backbone '{name}': no gradient reaches {what}"
        assert gradient.isfinite().all(), f"backbone '{name}': the gradient of {what} is not finite"
    assert float(x_TD.grad.abs().sum()) > 0, f"backbone '{name}': the items get a gradient of 0"  # type: ignore[union-attr]
