"""Markov chains: score an item by how often it followed the items of a history in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array, csr_array

from grasp_bench.controls.backing_off import LinkedItems
from grasp_bench.data.splits import TrainPart


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
