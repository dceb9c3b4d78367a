"""The learnable factor on the logits: one a part, with the gradient that differences give."""

from __future__ import annotations

import math

import pytest
import torch
from builders import NUM_ITEMS, NUM_USERS, model_settings, random_history, random_knowledge

from grasp_bench.models.enhancers.grasp import Grasp

STEP = 1e-3


def build(**changes: object) -> Grasp:
    torch.manual_seed(5)
    settings = model_settings(enhancer="grasp", logit_scale="learnable", **changes)
    return Grasp.from_settings(settings, NUM_USERS, NUM_ITEMS, random_knowledge()).double()


@pytest.mark.parametrize("attention", ["sigmoid", "softmax"])
def test_its_gradient_is_the_slope_of_the_loss_part_by_part(attention: str) -> None:
    grasp, history = build(attention=attention, logit_scale_init=2.0), random_history([5, 3, 4])

    def loss() -> torch.Tensor:
        return grasp.embed_history(history).pow(2).sum()

    (slope,) = torch.autograd.grad(loss(), [grasp.holistic.log_scale])
    assert slope.shape == (3,)
    for part in range(3):
        values = []
        for step in (STEP, -STEP):
            with torch.no_grad():
                grasp.holistic.log_scale[part] += step
                values.append(float(loss()))
                grasp.holistic.log_scale[part] -= step
        assert float(slope[part]) == pytest.approx((values[0] - values[1]) / (2 * STEP), rel=1e-4)


def test_a_factor_is_its_own_parts_alone() -> None:
    grasp, history = build(), random_history([5, 3, 4])
    before = grasp.history_weights(history)
    with torch.no_grad():
        grasp.holistic.log_scale[1] = math.log(4.0)
    after = grasp.history_weights(history)
    torch.testing.assert_close(after[:, [0, 2]], before[:, [0, 2]])
    torch.testing.assert_close(after[:, 1].logit(), 4 * before[:, 1].logit())


def test_it_is_saved_and_a_fixed_one_is_not() -> None:
    assert "holistic.log_scale" in build().state_dict()
    fixed = Grasp.from_settings(model_settings(enhancer="grasp"), NUM_USERS, NUM_ITEMS, random_knowledge())
    assert "holistic.log_scale" not in fixed.state_dict()
