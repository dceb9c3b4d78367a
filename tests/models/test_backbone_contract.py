"""The contract of backbones, run for every registered one."""

from __future__ import annotations

import pytest
import torch
from builders import model_settings, random_history

from grasp_bench.components import BACKBONES
from grasp_bench.models.backbones.base import Backbone
from grasp_bench.models.layout import Layout


@pytest.fixture(params=BACKBONES.names())
def backbone(request) -> Backbone:
    torch.manual_seed(5)
    found = BACKBONES.implementation(request.param)
    return found.from_settings(model_settings(backbone=request.param)).eval()


def test_states_have_the_width_of_the_items(backbone):
    layout = Layout(torch.tensor([3, 1, 7]))
    assert backbone(torch.randn(11, 8), layout).shape == (11, 8)


def test_a_sequence_does_not_depend_on_the_others_in_its_batch(backbone):
    lengths = torch.tensor([3, 1, 12, 7, 2])
    x = torch.randn(int(lengths.sum()), 8)
    together = backbone(x, Layout(lengths)).split(lengths.tolist())
    for part, length, found in zip(x.split(lengths.tolist()), lengths, together, strict=True):
        torch.testing.assert_close(backbone(part, Layout(length[None])), found, rtol=1e-5, atol=1e-5)


def test_causal_backbones_do_not_look_ahead_and_others_do(backbone):
    layout = Layout(torch.tensor([9]))
    x = torch.randn(9, 8)
    changed = x.clone()
    changed[5:] = torch.randn(4, 8)
    same = torch.allclose(backbone(x, layout)[:5], backbone(changed, layout)[:5], atol=1e-6)
    assert same == backbone.causal


def test_gradients_are_finite_and_reach_every_parameter(backbone):
    backbone.train()
    x = torch.randn(11, 8, requires_grad=True)
    prepared, layout = backbone.prepare_history(x, Layout(torch.tensor([3, 1, 7])))
    backbone(prepared, layout).square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert float(x.grad.abs().sum()) > 0
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_histories_of_full_length_are_accepted_at_inference(backbone):
    history = random_history([12, 4])
    x, layout = backbone.prepare_history(torch.randn(16, 8), history.layout)
    assert backbone(x, layout)[layout.last_B].shape == (2, 8)


def test_order_matters(backbone):
    layout = Layout(torch.tensor([6]))
    x = torch.randn(6, 8)
    swapped = x[torch.tensor([1, 0, 2, 3, 4, 5])]
    assert not torch.allclose(backbone(x, layout)[-1], backbone(swapped, layout)[-1], atol=1e-5)


def test_released_sasrec_sees_the_item_it_must_predict():
    """Hazard 1 of the notes, as a switch: without the mask a state changes with later items."""
    torch.manual_seed(5)
    released = BACKBONES.implementation("sasrec").from_settings(model_settings(causal=False)).eval()
    layout = Layout(torch.tensor([4]))
    x = torch.randn(4, 8)
    changed = x.clone()
    changed[3] = torch.randn(8)
    assert not torch.allclose(released(x, layout)[0], released(changed, layout)[0], atol=1e-6)
