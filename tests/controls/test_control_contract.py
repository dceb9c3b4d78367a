"""The contract of controls, run for every registered one, and broken in each way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grasp_bench.components import CONTROLS
from grasp_bench.controls.unpersonalised import Popularity
from grasp_bench.core import ranks as metrics
from grasp_bench.evaluation.ranker import Queries, Ranker, append_items
from grasp_bench.testing.controls import DIM, ITEMS, USERS, check_control, small_train

# Cosines of dense vectors are added up in an order that is the matrix library's own.
TOLERANCE = {"item_knn": 1e-5}


@pytest.mark.parametrize("name", CONTROLS.names())
def test_registered_controls_keep_the_contract(name: str) -> None:
    check_control(name, TOLERANCE.get(name, 0.0))


@pytest.mark.parametrize(
    ("method", "broken", "message"),
    [
        ("score_catalogue", lambda self, states, history, catalogue=None: torch.rand(len(states), ITEMS),
         "fitted twice it scores differently"),
        ("score_candidates", lambda self, states, history, candidates, catalogue=None:
         torch.arange(candidates.items_SK.shape[1]).expand(candidates.items_SK.shape).float(),
         "scores of candidates and of the catalogue"),
        ("score_catalogue", lambda self, states, history, catalogue=None:
         torch.full((len(states), ITEMS), torch.nan),
         "scores are not finite"),
    ],
)  # fmt: skip
def test_each_broken_promise_is_named(method: str, broken, message: str, monkeypatch) -> None:
    monkeypatch.setattr(Popularity, method, broken)
    with pytest.raises(AssertionError, match=message):
        check_control("popularity")


@pytest.mark.parametrize("name", CONTROLS.names())
def test_ranks_give_metrics_in_0_1_the_same_whatever_the_order_of_candidates(name: str) -> None:
    train = small_train()
    vectors = torch.randn(ITEMS, DIM, generator=torch.Generator().manual_seed(0))
    control = CONTROLS.implementation(name).fit(train, vectors)
    flat, offsets, users, targets = (
        torch.from_numpy(part.astype(np.int64))
        for part in (train.train_items, train.train_offsets, train.valid_users, train.valid_items)
    )
    flat, offsets = append_items(flat, offsets, users, targets)
    negatives = torch.randint(ITEMS, (USERS, 9), generator=torch.Generator().manual_seed(2))
    ranks = [
        Ranker(Queries(users, targets, columns, flat, offsets), 100).sampled(control)
        for columns in (negatives, negatives.flip(1))
    ]
    assert torch.equal(ranks[0].better, ranks[1].better)
    assert torch.equal(ranks[0].tied, ranks[1].tied)
    for metric in ("NDCG@5", "HR@5", "MRR@5"):
        values = metrics.per_user(metric, ranks[0].better.numpy(), ranks[0].tied.numpy(), "mean")
        assert values.min() >= 0
        assert values.max() <= 1
