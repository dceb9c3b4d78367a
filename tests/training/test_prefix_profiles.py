"""Profiles of training positions: who reads what, against a loop over positions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from grasp_bench.core.errors import TrainingError
from grasp_bench.evaluation.ranker import Queries, Ranker
from grasp_bench.models.enhancers.base import Knowledge
from grasp_bench.models.layout import Layout
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Loss
from grasp_bench.training.checkpoint import generator
from grasp_bench.training.objectives import Objective
from grasp_bench.training.sequences import Sequences

CPU = torch.device("cpu")
HISTORIES = [[1, 2, 3, 4], [5, 6], [7, 8, 9]]
ITEMS, USERS, DIM = 20, 3, 6
TOKENS = sum(map(len, HISTORIES))


def knowledge() -> Knowledge:
    g = torch.Generator().manual_seed(2)
    sizes = (USERS + TOKENS, USERS + TOKENS, ITEMS, ITEMS)
    return Knowledge(*(2 * torch.randn(n, DIM, generator=g) for n in sizes), prefixes=TOKENS)


def sequences() -> Sequences:
    offsets = torch.tensor([0, *map(len, HISTORIES)]).cumsum(0)
    items = torch.tensor([i for h in HISTORIES for i in h])
    return Sequences(items, offsets, ITEMS, USERS + torch.arange(TOKENS))


def recommender(backbone: str = "gru4rec") -> Recommender:
    torch.manual_seed(3)
    settings = Model(backbone=backbone, enhancer="grasp", embedding_dim=8, max_len=12, dropout=0.0)
    return Recommender.from_settings(settings.effective(), USERS, ITEMS, knowledge())


def vector(model: Recommender, profile: int, item: int) -> torch.Tensor:
    """Equations 3-5 for one profile and one item."""
    known = knowledge()
    u, u_bar = known.users_nD[profile], known.similar_users_nD[profile]
    i, i_bar = known.items_mD[item], known.similar_items_mD[item]
    pairs = [(u, i), (u_bar, i_bar), (torch.cat([u, u_bar]), torch.cat([i, i_bar]))]
    parts = [torch.sigmoid(q @ v / math.sqrt(len(q))) * v for q, v in pairs]
    holistic = model.enhancer.holistic
    return holistic.last(torch.relu(holistic.first(torch.cat(parts))))


def test_each_position_is_read_and_predicted_by_the_profile_of_that_moment():
    model, data = recommender(), sequences()
    objective = Objective.prepare(model, data, 12, Loss())
    users = torch.tensor([2, 0])
    found = objective.step(users, generator(CPU, 4))
    who = torch.tensor([u for u in users.tolist() for _ in HISTORIES[u][1:]])
    negatives = iter(objective.own.draw(who, generator(CPU, 4)).tolist())
    states, candidates = [], []
    for u in users.tolist():
        first = USERS + int(data.offsets[u])
        read = torch.stack([vector(model, first + t, item) for t, item in enumerate(HISTORIES[u][:-1])])
        states.append(model.backbone(read, Layout(torch.tensor([len(read)]))))
        for t in range(1, len(HISTORIES[u])):
            then = first + t - 1  # knows the items before t
            pair = [vector(model, then, HISTORIES[u][t]), vector(model, then, next(negatives))]
            candidates.append(torch.stack(pair))
    scores = torch.einsum("skd,sd->sk", torch.stack(candidates), torch.cat(states))
    told = torch.tensor([1.0, 0.0]).expand_as(scores)
    expected = 2 * F.binary_cross_entropy_with_logits(scores, told)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_at_inference_histories_are_read_as_in_training_and_candidates_by_the_last_profile():
    model, data = recommender(), sequences()
    queries = Queries(
        torch.tensor([1]), torch.tensor([11]), torch.tensor([[12, 13]]), data.items_flat, data.offsets,
        data.readers_flat,
    )  # fmt: skip
    first = USERS + int(data.offsets[1])
    read = torch.stack([vector(model, first + t, item) for t, item in enumerate(HISTORIES[1])])
    state = model.eval().backbone(read, Layout(torch.tensor([2])))[-1]
    scores = [float((state @ vector(model, 1, item)).detach()) for item in (11, 12, 13)]
    better = sum(score > scores[0] for score in scores[1:])
    sampled = Ranker(queries, 12).sampled(model)
    full = Ranker(queries, 12).full(model, 3, False)[0]
    assert [int(sampled.better), int(full.better)] == [better, better]


def test_without_prefixes_nothing_changes():
    model = recommender()
    plain = replace(sequences(), readers_flat=None)
    objective = Objective.prepare(model, plain, 12, Loss())
    assert objective.read_features is objective.target_features
    assert torch.equal(objective.readers, plain.users_flat())


def test_a_backbone_that_looks_both_ways_has_no_use_for_prefixes():
    with pytest.raises(TrainingError, match="look ahead"):
        Objective.prepare(recommender("bert4rec"), sequences(), 12, Loss())
