"""Ranks by the scores of a file against plain counting, with pairs missing and ties everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grasp_bench.core import ranks as metrics
from grasp_bench.evaluation.peer_ranker import AmongCandidates, Block, InCatalogue
from grasp_bench.evaluation.ranker import Queries, hidden_pairs, pool_sizes

USERS, ITEMS, NEGATIVES, TOP = 19, 30, 7, 6


@pytest.fixture
def queries() -> Queries:
    rng = np.random.default_rng(2)
    lengths = rng.integers(1, 9, USERS)
    known = rng.integers(0, ITEMS, lengths.sum())
    users = np.array([u for u in rng.permutation(USERS) if u != 4])  # user 4 is not tested
    targets = rng.integers(0, ITEMS, len(users))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    targets[0] = known[offsets[users[0]]]  # a repeat
    negatives = np.stack([rng.choice(np.setdiff1d(np.arange(ITEMS), t), NEGATIVES, False) for t in targets])
    return Queries(*(torch.from_numpy(part) for part in (users, targets, negatives, known, offsets)))


def scores(share: float) -> dict[tuple[int, int], float]:
    """Few distinct scores for a share of all pairs."""
    rng = np.random.default_rng(5)
    return {
        (u, i): float(rng.integers(0, 6)) for u in range(USERS) for i in range(ITEMS) if rng.random() < share
    }


def blocks(found: dict[tuple[int, int], float], queries: Queries) -> list[tuple[np.ndarray, Block]]:
    """The scores in three blocks of users, rows in no order."""
    made = []
    for users in np.array_split(np.arange(USERS), 3):
        pairs = [pair for pair in sorted(found, key=hash) if pair[0] in users]
        columns = np.array(pairs).T
        block = Block.of(columns[0], columns[1], np.array([found[pair] for pair in pairs]), ITEMS)
        rows = [row for row, user in enumerate(queries.users_Q.tolist()) if user in columns[0]]
        made.append((np.array(rows), block))
    return made


def counted(pool: list[int], target: int, found: dict[int, float]) -> tuple[int, int]:
    """How many score above and as the target, absent ones below everything."""
    value = lambda item: found.get(item, -np.inf)  # noqa: E731
    others = [value(item) for item in pool if item != target]
    return sum(x > value(target) for x in others), sum(x == value(target) for x in others)


@pytest.mark.parametrize("share", [1.0, 0.7])
def test_among_candidates(queries: Queries, share: float) -> None:
    found = scores(share)
    ranking = AmongCandidates(queries, ITEMS)
    for rows, block in blocks(found, queries):
        ranking.add(rows, block)
    for row, user in enumerate(queries.users_Q.tolist()):
        mine = {item: score for (u, item), score in found.items() if u == user}
        target, negatives = int(queries.targets_Q[row]), queries.negatives_QK[row].tolist()
        expected = counted(negatives, target, mine)
        assert (ranking.counts.better_Q[row], ranking.counts.tied_Q[row]) == expected
        assert ranking.absent_Q[row] == sum(item not in mine for item in [target, *negatives])


@pytest.mark.parametrize("share", [1.0, 0.8, 0.1])
@pytest.mark.parametrize("exclude_history", [True, False])
def test_in_the_catalogue(queries: Queries, share: float, exclude_history: bool) -> None:
    found = scores(share)
    hidden = hidden_pairs(queries, ITEMS, exclude_history)
    pools = pool_sizes(queries, ITEMS, hidden)
    ranking = InCatalogue(queries, ITEMS, pools, hidden, TOP)
    for rows, block in blocks(found, queries):
        ranking.add(rows, block)
    for row, user in enumerate(queries.users_Q.tolist()):
        target = int(queries.targets_Q[row])
        known = set(queries.items_flat[queries.offsets[user] : queries.offsets[user + 1]].tolist())
        pool = [i for i in range(ITEMS) if i == target or not (exclude_history and i in known)]
        mine = {item: score for (u, item), score in found.items() if u == user and item in pool}
        expected = counted(pool, target, mine)
        assert pools[row] == len(pool)
        assert (ranking.counts.better_Q[row], ranking.counts.tied_Q[row]) == expected
        assert ranking.listed_Q[row] == len(mine)
        best = sorted(pool, key=lambda item: (-mine.get(item, -np.inf), item))[:TOP]
        assert ranking.best_Qk[row].tolist() == best


def test_of_a_list_of_the_best_all_cutoffs_that_it_reaches_are_exact(queries: Queries) -> None:
    found = {pair: score + pair[1] / 100 for pair, score in scores(1.0).items()}  # no ties
    hidden = hidden_pairs(queries, ITEMS, True)
    pools = pool_sizes(queries, ITEMS, hidden)
    depth = 4
    best = {
        (user, item)
        for user in range(USERS)
        for item in sorted(
            (i for i in range(ITEMS) if user * ITEMS + i not in hidden), key=lambda i: -found[user, i]
        )[:depth]
    }
    whole, cut = (InCatalogue(queries, ITEMS, pools, hidden, depth) for _ in range(2))
    for ranking, kept in ((whole, found), (cut, {pair: found[pair] for pair in best})):
        for rows, block in blocks(kept, queries):
            ranking.add(rows, block)
    for name in metrics.METRICS:
        for k in range(1, depth + 1):
            values = [
                metrics.per_user(f"{name}@{k}", each.counts.better_Q, each.counts.tied_Q, "mean")
                for each in (whole, cut)
            ]
            assert np.array_equal(*values)
    assert np.array_equal(whole.best_Qk, cut.best_Qk)
