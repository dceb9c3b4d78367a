"""RLMRec's alignment losses against plain sums of exponentials."""

from __future__ import annotations

import math

import pytest
import torch
from builders import NUM_ITEMS, NUM_USERS, model_settings, random_knowledge
from torch import Tensor

from grasp_bench.models.batch import History, Step
from grasp_bench.models.enhancers.rlmrec import info_nce
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender
from grasp_bench.training.checkpoint import generator

CPU = torch.device("cpu")
ITEMS, LENGTHS = [3, 5, 3, 9, 1, 5], [2, 1, 3]
TARGETS = [5, 3, 3, 8, 9, 5]


def cosine(a: Tensor, b: Tensor) -> float:
    a, b = a.detach(), b.detach()
    return float(a @ b / (a.norm() * b.norm()))


def plain_info_nce(anchors, targets, owners, temperature: float) -> float:
    total = 0.0
    for i, anchor in enumerate(anchors):
        right = math.exp(cosine(anchor, targets[i]) / temperature)
        others = [
            math.exp(cosine(anchor, target) / temperature)
            for j, target in enumerate(targets)
            if owners[j] != owners[i]
        ]
        total -= math.log(right / (right + sum(others)))
    return total / len(anchors)


def build(**changes: object) -> Recommender:
    torch.manual_seed(2)
    settings = model_settings(enhancer="rlmrec", backbone="gru4rec", dropout=0.0, **changes)
    return Recommender.from_settings(settings, NUM_USERS, NUM_ITEMS, random_knowledge())


def step_of(model: Recommender) -> Step:
    layout = Layout(torch.tensor(LENGTHS))
    history = History(torch.tensor([4, 0, 2]), torch.tensor(ITEMS), layout)
    states = model.read(model.enhancer.embed_history(history), layout)
    return Step(
        history, states, torch.tensor(TARGETS), model.read, model.without_dropout,
        lambda users: pytest.fail("nobody's history is needed"), generator(CPU, 3),
    )  # fmt: skip


def mapped(model: Recommender, x: Tensor) -> Tensor:
    first, _, last = model.enhancer.map
    hidden = x @ first.weight.T + first.bias
    return torch.where(hidden > 0, hidden, 0.01 * hidden) @ last.weight.T + last.bias


def test_info_nce_leaves_out_pairs_about_the_same_entity():
    anchors, targets = torch.randn(5, 4), torch.randn(5, 4)
    owners = torch.tensor([0, 1, 0, 2, 1])
    expected = plain_info_nce(anchors, targets, owners.tolist(), 0.3)
    assert float(info_nce(anchors, targets, owners, 0.3)) == pytest.approx(expected, rel=1e-5)


def test_one_pair_alone_costs_nothing_and_has_gradients():
    anchors = torch.randn(1, 4, requires_grad=True)
    loss = info_nce(anchors, torch.randn(1, 4), torch.tensor([0]), 0.2)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
    assert torch.isfinite(anchors.grad).all()


@pytest.mark.parametrize("align", ["both", "items", "users"])
def test_contrastive_alignment(align):
    model = build(align=align, align_weight=0.3, align_temperature=0.5)
    step, known = step_of(model), random_knowledge()
    items = sorted(set(TARGETS))
    expected = 0.0
    if align != "users":
        expected += plain_info_nce(
            model.enhancer.table.weight[items], mapped(model, known.items_mD[items]), items, 0.5
        )
    if align != "items":
        ends = [1, 2, 5]
        expected += plain_info_nce(
            step.states_TD[ends], mapped(model, known.users_nD[[4, 0, 2]]), [4, 0, 2], 0.5
        )
    found = model.enhancer.auxiliary_loss(step)
    assert float(found.detach()) == pytest.approx(0.3 * expected, rel=1e-5)


@pytest.mark.parametrize("align", ["both", "items", "users"])
def test_generative_alignment_rebuilds_what_it_masked(align):
    model = build(
        alignment="generative", align=align, align_weight=0.3, align_temperature=0.5, mask_share=0.6
    )
    step, known = step_of(model), random_knowledge()
    found = float(model.enhancer.auxiliary_loss(step).detach())
    drawn = torch.rand(len(ITEMS), generator=generator(CPU, 3))
    masked = [t for t in range(len(ITEMS)) if drawn[t] < 0.6]
    assert 0 < len(masked) < len(ITEMS)
    states, first = [], 0
    for length in LENGTHS:
        rows = [
            model.enhancer.mask[0] if t in masked else model.enhancer.table.weight[ITEMS[t]]
            for t in range(first, first + length)
        ]
        backbone = model.backbone
        states += list(backbone.output(backbone.recurrent(torch.stack(rows)[None])[0][0]))
        first += length
    rebuilt = [mapped(model, state) for state in states]
    expected = 0.0
    if align != "users":
        owners = [ITEMS[t] for t in masked]
        expected += plain_info_nce([rebuilt[t] for t in masked], known.items_mD[owners], owners, 0.5)
    if align != "items":
        expected += plain_info_nce([rebuilt[t] for t in (1, 2, 5)], known.users_nD[[4, 0, 2]], [4, 0, 2], 0.5)
    assert found == pytest.approx(0.3 * expected, rel=1e-4)


def test_something_is_masked_even_where_the_draw_masks_nothing():
    model = build(alignment="generative", mask_share=1e-9)
    assert float(model.enhancer.auxiliary_loss(step_of(model)).detach()) > 0
