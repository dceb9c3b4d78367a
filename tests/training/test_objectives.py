"""Objectives against losses written out position by position."""

from __future__ import annotations

import math

import pytest
import torch

from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Loss, Training
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import LAST_ITEM_ONLY, Objective, draw_mask
from grasp_bench.training.optimizers import optimizer_of
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")
HISTORIES = [[1, 2, 3, 4], [5, 6], [7, 8, 9, 10, 11, 12, 13]]


def sequences() -> Sequences:
    offsets = torch.tensor([0, *[len(h) for h in HISTORIES]]).cumsum(0)
    return Sequences(torch.tensor([i for h in HISTORIES for i in h]), offsets, 20)


def recommender(backbone: str = "sasrec") -> Recommender:
    torch.manual_seed(3)
    settings = Model(backbone=backbone, embedding_dim=8, max_len=4, dropout=0.0).effective()
    return Recommender.from_settings(settings, 3, 20, None)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_next_item_predicts_each_item_from_those_before_it_within_max_len():
    model, data = recommender(), sequences()
    objective = Objective.prepare(model, data, 4, Loss())
    users = torch.tensor([0, 2, 1])
    found = float(objective.step(users, generator(CPU, 9)).detach())
    # The same draw: one negative for each predicted position, in the batch's order.
    pieces = [HISTORIES[u][-5:] for u in users.tolist()]
    who = torch.tensor([u for u, piece in zip(users.tolist(), pieces, strict=True) for _ in piece[1:]])
    negatives = iter(objective.own.draw(who, generator(CPU, 9)).tolist())
    table = model.enhancer.table.weight.detach()
    losses = []
    for piece in pieces:
        for t in range(1, len(piece)):
            # The position of an input counts from the end of the whole input, so states of one
            # sequence are computed together and read at t - 1.
            states = model.backbone(table[torch.tensor(piece[:-1])], Layout(torch.tensor([len(piece) - 1])))
            state = states[t - 1].detach()
            positive, negative = float(state @ table[piece[t]]), float(state @ table[next(negatives)])
            losses.append(-math.log(sigmoid(positive)) - math.log(1 - sigmoid(negative)))
    assert found == pytest.approx(sum(losses) / len(losses), rel=1e-5)


def test_masks_hide_at_least_one_item_and_the_asked_share():
    layout = Layout(torch.full((4000,), 10))
    masked = draw_mask(layout, 0.4, generator(CPU, 1)).view(4000, 10)
    per_sequence = masked.sum(1)
    assert int(per_sequence.min()) >= 1
    last_only = (per_sequence == 1) & masked[:, -1]
    assert float(last_only.float().mean()) == pytest.approx(LAST_ITEM_ONLY, abs=0.02)
    others = masked[~last_only].float().mean()
    assert float(others) == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("backbone", ["sasrec", "gru4rec", "bert4rec"])
def test_each_backbone_learns_a_pattern_it_is_shown(backbone):
    """Every user walks a cycle; after a few hundred steps the next item scores above other new ones."""
    torch.manual_seed(0)
    cycle = [[(start + step) % 10 for step in range(6)] for start in range(10)] * 6
    offsets = torch.arange(0, 6 * len(cycle) + 1, 6)
    data = Sequences(torch.tensor([i for h in cycle for i in h]), offsets, 10)
    settings = Model(backbone=backbone, embedding_dim=16, max_len=8, dropout=0.1).effective()
    model = Recommender.from_settings(settings, len(cycle), 10, None)
    settings = Training(lr=0.01)
    objective, optimizer = Objective.prepare(model, data, 8, settings.loss), optimizer_of(model, settings)
    draws = generator(CPU, 4)
    for _ in range(60):
        for users in data.batches(30, draws):
            optimizer.zero_grad()
            objective.step(users, draws).backward()
            optimizer.step()
    model.eval()
    from grasp_bench.models.batch import History

    history = History(torch.tensor([0]), torch.tensor([2, 3, 4, 5]), Layout(torch.tensor([4])))
    with torch.no_grad():
        scores = model.score_catalogue(model.states(history), history, None)[0]
    # A user's own items are never negatives, so only the others are told apart.
    scores[history.items_T] = -torch.inf
    assert int(scores.argmax()) == 6
