"""Lists of the sampled ranking: scores of the candidates alone, and of the catalogue where that matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from grasp_bench.evaluation import ranker as ranker_module
from grasp_bench.evaluation.listing import Listed, sampled_lists, tie_order
from grasp_bench.evaluation.ranker import Queries, Ranker
from grasp_bench.models.batch import Candidates, History

USERS, ITEMS, NEGATIVES = 20, 30, 6
PLACES = tie_order([f"i{item:02d}" for item in range(ITEMS)])
ODD = (3, 12)  # queries whose candidates score otherwise alone


class Table:
    """Fixed scores of each user; alone, candidates of the users in ODD get their scores in reverse order."""

    num_items = ITEMS

    def __init__(self) -> None:
        self.scores = torch.randn(USERS, ITEMS, generator=torch.Generator().manual_seed(5))
        self.catalogue_users: list[int] = []

    def eval(self) -> None: ...

    def catalogue(self) -> None: ...

    def pair_features(self, users_P: torch.Tensor, items_P: torch.Tensor) -> None: ...

    def states(self, history: History, catalogue: Any) -> torch.Tensor:
        return history.users_B

    def score_candidates(
        self, states_B: torch.Tensor, history: History, candidates: Candidates, catalogue: Any
    ) -> torch.Tensor:
        scores = self.scores[states_B].gather(1, candidates.items_SK)
        odd = torch.isin(states_B, torch.tensor(ODD))
        return torch.where(odd[:, None], -scores, scores)

    def score_catalogue(self, states_B: torch.Tensor, history: History, catalogue: Any) -> torch.Tensor:
        self.catalogue_users += states_B.tolist()
        return self.scores[states_B]


@pytest.fixture
def ranker(monkeypatch: pytest.MonkeyPatch) -> Ranker:
    monkeypatch.setattr(ranker_module, "LARGEST_CHUNK", 5)
    generator = torch.Generator().manual_seed(2)
    items = torch.stack([torch.randperm(ITEMS, generator=generator) for _ in range(USERS)])
    targets, negatives = items[:, 0], items[:, 1 : 1 + NEGATIVES]
    history = items[:, -2:].flatten()
    return Ranker(
        Queries(torch.arange(USERS), targets, negatives, history, torch.arange(0, 2 * USERS + 1, 2)), 5
    )


def expected(ranker: Ranker, scorer: Table, query: int) -> list[int]:
    queries = ranker.queries
    items = [int(queries.targets_Q[query]), *queries.negatives_QK[query].tolist()]
    return sorted(items, key=lambda item: -scorer.scores[query, item].item())


def lists(ranker: Ranker, scorer: Table, depth: int | None, stored: Any) -> list[Listed]:
    return list(sampled_lists(ranker, scorer, PLACES, depth, stored))


@pytest.mark.parametrize("depth", [None, 3])
def test_queries_unlike_the_stored_ranks_are_scored_with_the_catalogue(
    ranker: Ranker, depth: int | None
) -> None:
    scorer = Table()
    ranks = ranker.full(scorer, 3, exclude_history=False)[0]
    stored = ranks.better.numpy(), ranks.tied.numpy()
    scorer.catalogue_users.clear()
    found = lists(ranker, scorer, depth, stored)
    assert [each.query for each in found] == list(range(USERS))
    for each in found:
        assert each.items.tolist() == expected(ranker, scorer, each.query)[:depth]
        assert np.array_equal(each.scores, scorer.scores[each.query].numpy()[each.items])
        assert (each.better, each.tied) == (stored[0][each.query], 0)
    # Whole chunks, so that sums round as they did, and no other ones.
    assert scorer.catalogue_users == [*range(5), *range(10, 15)]


def test_without_them_candidates_are_scored_alone(ranker: Ranker) -> None:
    scorer = Table()
    for each in lists(ranker, scorer, None, None):
        right = expected(ranker, scorer, each.query)
        assert each.items.tolist() == (right[::-1] if each.query in ODD else right)
    assert scorer.catalogue_users == []
