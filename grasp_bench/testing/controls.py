"""The contract of controls."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from grasp_bench.components import CONTROLS
from grasp_bench.controls.base import Control
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import History
from grasp_bench.models.layout import Layout
from grasp_bench.spec.plugins import use_latest_plugin
from grasp_bench.testing.histories import agree, behind

USERS, ITEMS, DIM = 23, 31, 6


def check_control(name: str, tolerance: float = 0.0) -> None:
    """Check a control, by its name or "module:Class".

    Fitted twice it scores the same; a pair's score is finite and the same alone, among others in any order
    and in the whole catalogue, up to `tolerance`. One user with one item is no special case.

    Example:
        >>> check_control("markov")
    """
    use_latest_plugin(CONTROLS, name)
    train = small_train()
    vectors = torch.randn(ITEMS, DIM, generator=torch.Generator().manual_seed(0))
    with CONTROLS.blamed(name):
        kind = CONTROLS.implementation(name)
        control, again = kind.fit(train, vectors), kind.fit(train, vectors)
        assert isinstance(control, Control), f"fit returned {type(control).__name__}"
        history = history_of(train, list(range(USERS)))
        whole = catalogue_scores(control, history)
        assert whole.shape == (USERS, ITEMS), f"score_catalogue gives {tuple(whole.shape)} for {USERS} users"
        assert whole.isfinite().all(), "scores are not finite"
        assert torch.equal(whole, catalogue_scores(again, history)), "fitted twice it scores differently"
        _pairs_score_alike(control, train, history, whole, tolerance)
        catalogue_scores(control, history)[:] = -torch.inf
        assert torch.equal(catalogue_scores(control, history), whole), (
            "score_catalogue returns its own memory"
        )
        _one_user_one_item(kind, vectors)


def small_train() -> TrainPart:
    """Return a training part in which two items are never met."""
    rng = np.random.default_rng(4)
    lengths = rng.integers(1, 9, USERS)
    items = (rng.random(int(lengths.sum())) ** 2 * (ITEMS - 2)).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    users = np.arange(USERS, dtype=np.int32)
    return TrainPart(USERS, ITEMS, items, offsets, users, rng.integers(0, ITEMS, USERS).astype(np.int32))


def history_of(train: TrainPart, users: list[int]) -> History:
    """Return the training sequences of users."""
    items = [torch.from_numpy(train.train_sequence(user).astype(np.int64)) for user in users]
    layout = Layout(torch.tensor([len(each) for each in items]))
    return History(torch.tensor(users), torch.cat(items), layout)


def catalogue_scores(control: Control, history: History) -> Tensor:
    """Return scores (B, m) of all items."""
    return control.score_catalogue(control.states(history), history)


def candidate_scores(control: Control, history: History, items_BK: Tensor) -> Tensor:
    """Return scores (B, K) of some items."""
    return control.score_candidates(control.states(history), history, behind(history, items_BK))


def _pairs_score_alike(
    control: Control, train: TrainPart, history: History, whole: Tensor, tolerance: float
) -> None:
    items = torch.randint(ITEMS, (USERS, 7), generator=torch.Generator().manual_seed(1))
    among = candidate_scores(control, history, items)
    agree(among, whole.gather(1, items), "scores of candidates and of the catalogue", tolerance)
    turned = candidate_scores(control, history, items.flip(1))
    agree(turned, among.flip(1), "scores of candidates in another order", tolerance)
    for user in (0, USERS - 1):
        alone = history_of(train, [user])
        agree(catalogue_scores(control, alone)[0], whole[user], "scores of a user alone", tolerance)
        one = candidate_scores(control, alone, items[user : user + 1, :1])[0]
        agree(one, among[user, :1], "scores of a candidate alone", tolerance)


def _one_user_one_item(kind: type[Control], vectors: Tensor) -> None:
    one = np.zeros(1, dtype=np.int32)
    train = TrainPart(1, 1, one, np.array([0, 1]), one, one)
    scores = catalogue_scores(kind.fit(train, vectors[:1]), history_of(train, [0]))
    assert scores.shape == (1, 1), f"one user and one item give scores {tuple(scores.shape)}"
    assert scores.isfinite().all(), "the score of one user and one item is not finite"
