from __future__ import annotations

import pytest
import torch

from grasp_bench.models.layers import dropout


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_drops_the_asked_share_and_keeps_the_expectation(probability):
    torch.manual_seed(0)
    found = dropout(torch.ones(400, 501), probability, training=True)
    assert float((found == 0).float().mean()) == pytest.approx(probability, abs=0.005)
    assert float(found.mean()) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("probability", [1e-6, 0.999999])
def test_probabilities_near_the_ends_neither_wrap_nor_divide_by_zero(probability):
    torch.manual_seed(0)
    kept = float((dropout(torch.ones(1000, 100), probability, training=True) != 0).float().mean())
    assert kept == pytest.approx(1 - probability, abs=0.001)


def test_is_the_identity_outside_training_and_without_dropout():
    x = torch.randn(5, 3)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x


def test_gradients_pass_where_values_do():
    torch.manual_seed(0)
    x = torch.ones(50, 7, requires_grad=True)
    found = dropout(x, 0.3, training=True)
    found.sum().backward()
    assert torch.equal(x.grad, found.detach())
