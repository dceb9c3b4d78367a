"""What every control promises; a new one is tested as soon as it is registered."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grasp_bench.components import CONTROLS
from grasp_bench.controls.base import Control
from grasp_bench.controls.neighbourhoods import ItemKnn
from grasp_bench.core import ranks as metrics
from grasp_bench.data.splits import TrainPart
from grasp_bench.evaluation.ranker import Queries, Ranker, append_items
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.layout import Layout

USERS, ITEMS = 23, 31


@pytest.fixture(scope="module")
def train() -> TrainPart:
    rng = np.random.default_rng(4)
    lengths = rng.integers(1, 9, USERS)
    items = (rng.random(int(lengths.sum())) ** 2 * (ITEMS - 2)).astype(np.int32)  # two items are never met
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    users = np.arange(USERS, dtype=np.int32)
    return TrainPart(USERS, ITEMS, items, offsets, users, rng.integers(0, ITEMS, USERS).astype(np.int32))


@pytest.fixture(scope="module")
def vectors() -> torch.Tensor:
    return torch.randn(ITEMS, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=CONTROLS.names())
def control(request: pytest.FixtureRequest, train: TrainPart, vectors: torch.Tensor) -> Control:
    return CONTROLS.implementation(request.param).fit(train, vectors)


def history_of(train: TrainPart, users: list[int]) -> History:
    items = [torch.from_numpy(train.train_sequence(user).astype(np.int64)) for user in users]
    layout = Layout(torch.tensor([len(each) for each in items]))
    return History(torch.tensor(users), torch.cat(items), layout)


def catalogue_scores(control: Control, history: History) -> torch.Tensor:
    return control.score_catalogue(control.states(history), history)


def candidate_scores(control: Control, history: History, items: torch.Tensor) -> torch.Tensor:
    lengths = history.layout.lengths_B
    candidates = Candidates(items, torch.arange(len(lengths)), lengths)
    return control.score_candidates(control.states(history), history, candidates)


def test_fitted_twice_it_scores_the_same(control, train, vectors) -> None:
    history = history_of(train, list(range(USERS)))
    again = type(control).fit(train, vectors)
    assert torch.equal(catalogue_scores(control, history), catalogue_scores(again, history))


def test_scores_are_finite_and_one_for_each_pair(control, train) -> None:
    scores = catalogue_scores(control, history_of(train, [0, 5, 7]))
    assert scores.shape == (3, ITEMS)
    assert torch.isfinite(scores).all()


def test_a_pair_scores_the_same_alone_among_others_and_in_the_catalogue(control, train) -> None:
    users = list(range(USERS))
    history = history_of(train, users)
    items = torch.randint(ITEMS, (USERS, 7), generator=torch.Generator().manual_seed(1))
    whole, among = catalogue_scores(control, history), candidate_scores(control, history, items)
    agree(control, among, whole.gather(1, items))
    agree(control, candidate_scores(control, history, items.flip(1)), among.flip(1))
    for user in (0, USERS - 1):
        alone = history_of(train, [user])
        agree(control, catalogue_scores(control, alone)[0], whole[user])
        agree(control, candidate_scores(control, alone, items[user : user + 1, :1])[0], among[user, :1])


def agree(control: Control, found: torch.Tensor, expected: torch.Tensor) -> None:
    """To the last bit; cosines of dense vectors are added up in an order that is the matrix library's own."""
    tolerance = {} if isinstance(control, ItemKnn) else {"rtol": 0, "atol": 0}
    torch.testing.assert_close(found, expected, **tolerance)


def test_scores_of_the_catalogue_may_be_written_into(control, train) -> None:
    history = history_of(train, [0, 1])
    before = catalogue_scores(control, history)
    catalogue_scores(control, history)[:] = -torch.inf
    assert torch.equal(catalogue_scores(control, history), before)


def test_ranks_give_metrics_in_0_1_the_same_whatever_the_order_of_candidates(control, train) -> None:
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
    for name in ("NDCG@5", "HR@5", "MRR@5"):
        values = metrics.per_user(name, ranks[0].better.numpy(), ranks[0].tied.numpy(), "mean")
        assert values.min() >= 0
        assert values.max() <= 1


def test_one_user_one_item(vectors: torch.Tensor) -> None:
    one = np.zeros(1, dtype=np.int32)
    train = TrainPart(1, 1, one, np.array([0, 1]), one, one)
    for name in CONTROLS:
        scores = catalogue_scores(
            CONTROLS.implementation(name).fit(train, vectors[:1]), history_of(train, [0])
        )
        assert scores.shape == (1, 1)
        assert torch.isfinite(scores).all()
