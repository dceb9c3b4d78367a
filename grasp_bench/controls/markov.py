"""Markov chains, and the base of controls that score a few items by evidence and all others by popularity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from grasp_bench.controls.base import Control
from grasp_bench.controls.unpersonalised import popularity
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History

GRAIN = 2.0**-20  # about a millionth: smaller differences are rounding errors


class BackingOff(Control):
    """Scores by evidence first; popularity orders items of equal or no evidence.

    With e(u, b) ≥ 0 the evidence that user u takes item b next, and p(b) how often b stands in training,

        score(u, b) = e(u, b) / grain · (1 + max p) + p(b),     e / grain rounded to a whole number.

    Scores are whole numbers, exact in float64 below 2^53: items equal in both tie. Items of the history are
    candidates like others.
    """

    decay: ClassVar[float] = 0.5  # weight of an item of the history relative to the next one
    grain: ClassVar[float] = GRAIN

    def __init__(self, popularity_m: Tensor) -> None:
        super().__init__(len(popularity_m))
        self.popularity_m = popularity_m
        self.scale = float(1 + popularity_m.max())

    def evidence(self, history: History) -> csr_array:
        """Return e(u, b), (B, m). A row does not depend on the other rows."""
        raise NotImplementedError(f"{type(self).__name__} has no evidence")

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Look up the evidence for the candidates."""
        found_BK = entries(self._scaled(history), candidates.items_SK.numpy())
        return torch.from_numpy(found_BK).add_(self.popularity_m[candidates.items_SK])

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Add the evidence to the popularity of all items."""
        return torch.from_numpy(self._scaled(history).toarray()).add_(self.popularity_m)

    def _scaled(self, history: History) -> csr_array:
        """Return the evidence in whole grains, each above every popularity."""
        evidence = self.evidence(history)
        evidence.data = np.rint(evidence.data / self.grain) * self.scale
        return evidence


class LinkedItems(BackingOff):
    """Evidence from the items of a history: e(u, b) = Σ_a w(u, a) · s(a, b).

    w(u, a) is `decay` to the power of the steps since u last had a; with a decay of 0 the last item alone
    counts. s(a, b) is a subclass's link between two items, counted in training.
    """

    def __init__(self, links_mm: csr_array, popularity_m: Tensor) -> None:
        super().__init__(popularity_m)
        self.links_mm = links_mm

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Link the items of the training part."""
        return cls(cls.links(train), popularity(train))

    @classmethod
    def links(cls, train: TrainPart) -> csr_array:
        """Return s(a, b), (m, m)."""
        raise NotImplementedError(f"{cls.__name__} does not implement links")

    def evidence(self, history: History) -> csr_array:
        """Multiply the weights of the history by the links."""
        return history_rows(history, self.num_items, self.decay) @ self.links_mm


def user_items(train: TrainPart) -> csr_array:
    """Return a matrix (num_users, m) with 1 where a user has an item in training; repeats count once."""
    keys = np.unique(train.train_users.astype(np.int64) * train.num_items + train.train_items)
    return _matrix(np.ones(len(keys)), keys, train.num_users, train.num_items)


def history_rows(history: History, num_items: int, decay: float) -> csr_array:
    """Return item weights of each history, (B, m): `decay` to the power of the steps since its last use.

    A decay of 1 weighs all items alike, one of 0 the last item alone. Weights below `GRAIN` are left out.
    """
    layout = history.layout
    keys = (layout.sequence_T * num_items + history.items_T).numpy()
    # Reversed, because `unique` keeps the first of equal keys: here the latest.
    kept, latest = np.unique(keys[::-1], return_index=True)
    weights = decay ** layout.from_end_T().numpy()[::-1][latest].astype(np.float64)
    heavy = weights >= GRAIN
    return _matrix(weights[heavy], kept[heavy], layout.batch, num_items)


def entries(matrix: csr_array, columns_BK: NDArray[np.int64]) -> NDArray[np.float64]:
    """Look up K columns of each row, its own ones: dense (B, K)."""
    matrix.sort_indices()
    rows, width = matrix.shape
    keys = np.repeat(np.arange(rows) * width, np.diff(matrix.indptr)) + matrix.indices
    wanted_BK = np.arange(rows)[:, None] * width + columns_BK
    if not len(keys):
        return np.zeros(wanted_BK.shape)
    place_BK = np.searchsorted(keys, wanted_BK).clip(max=len(keys) - 1)
    return np.where(keys[place_BK] == wanted_BK, matrix.data[place_BK], 0.0)


def nearest(matrix: csr_array, k: int) -> csr_array:
    """Keep the k largest entries of each row and all ties with the k-th: no order decides."""
    # Multiples of GRAIN: sums of the same numbers in another order are then equal.
    values = np.rint(matrix.data / GRAIN) * GRAIN
    kept = values > 0
    for row in np.flatnonzero(np.diff(matrix.indptr) > k):
        entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
        kept[entries] &= values[entries] >= np.partition(values[entries], -k)[-k]
    found = csr_array((np.where(kept, values, 0), matrix.indices, matrix.indptr), shape=matrix.shape)
    found.eliminate_zeros()
    return found


def _matrix(values: NDArray[np.float64], keys: NDArray[np.int64], rows: int, columns: int) -> csr_array:
    """Place each value at row · columns + column, its key; keys are distinct."""
    return coo_array((values, (keys // columns, keys % columns)), shape=(rows, columns)).tocsr()


def transitions(train: TrainPart, distances: Sequence[int]) -> csr_array:
    """Return Σ_d n_d(a → b) / d, (m, m), n_d the times that b stands d places after a in a training part.

    Items of one step (`time_ties: block`) are simultaneous: there is no transition between them.
    """
    users, items = train.train_users, train.train_items
    tied = np.zeros(len(items), dtype=bool) if train.train_tied is None else train.train_tied
    steps = np.cumsum(~tied)
    together = {d: (users[:-d] == users[d:]) & (steps[:-d] < steps[d:]) for d in distances}
    before = np.concatenate([items[:-d][same] for d, same in together.items()])
    after = np.concatenate([items[d:][same] for d, same in together.items()])
    counts = np.concatenate([np.full(int(same.sum()), 1 / d) for d, same in together.items()])
    return coo_array((counts, (before, after)), shape=(train.num_items, train.num_items)).tocsr()


class Markov(LinkedItems):
    """First-order Markov chain with repeats: counts of transitions from the user's last item.

    s(a, b) = n(a → b), the number of times that b stands directly after a in the training part of a user, all
    users together, b = a included. Items of equal count, 0 included, rank by popularity. The last item of a
    test user is the validation item, as it is for models; the transition to it is not counted, because models
    do not train on it.
    """

    decay = 0.0
    grain = 1.0

    @classmethod
    def links(cls, train: TrainPart) -> csr_array:
        """Count transitions between adjacent items."""
        return transitions(train, [1])


class MarkovSymmetric(Markov):
    """Neighbours of the user's last item in both directions: s(a, b) = n(a → b) + n(b → a).

    It does not profit from the order of a user's items. Where that order is not the true one, for example
    where the items of one day were sorted by id, `markov` may score higher because it learns the sorting.
    """

    @classmethod
    def links(cls, train: TrainPart) -> csr_array:
        """Count transitions between adjacent items in both directions."""
        steps = transitions(train, [1])
        return (steps + steps.T).tocsr()


class MarkovBackoff(LinkedItems):
    """Sequential rules from all items of the history, the latest most, after Ludewig and Jannach ("Evaluation
    of session-based recommendation algorithms", UMUAI 2018, arXiv:1803.09587).

    s(a, b) = Σ_d n_d(a → b) / d over distances d up to 10, n_d(a → b) the number of times that b stands d
    places after a. The published rules start from the last item alone; here each item of the history has half
    the weight of the one after it, as Markov chains of several items have a weight for each. That was chosen
    from 0 (the last item alone), 1/2 and 0.8, and the distance from 1, 3 and 10, by validation NDCG@10 in
    full ranking on amazon-beauty, goodreads and movielens-small: no other choice is better on any of them.
    """

    @classmethod
    def links(cls, train: TrainPart) -> csr_array:
        """Count transitions over each distance."""
        return transitions(train, range(1, 11))
