"""The guard of the evaluation lets chance pass and stops whatever is better or worse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grasp_bench.core import ranks as metrics
from grasp_bench.core.errors import EvaluationError
from grasp_bench.evaluation.chance import check_at_chance
from grasp_bench.evaluation.ranker import Queries, Ranks, hidden_pairs, pool_sizes

AMONG = np.array([4, 101, 1, 13])


def tied_with_all(among: np.ndarray) -> Ranks:
    return Ranks(torch.zeros(len(among), dtype=torch.int64), torch.from_numpy(among - 1))


def test_ties_with_everything_are_chance() -> None:
    check_at_chance(tied_with_all(AMONG), AMONG, "sampled")


@pytest.mark.parametrize(("better", "tied"), [(1, 12), (0, 11), (0, 13), (3, 9)])
def test_one_row_that_does_not_tie_is_named(better: int, tied: int) -> None:
    ranks = tied_with_all(AMONG)
    ranks.better[3], ranks.tied[3] = better, tied
    with pytest.raises(EvaluationError, match=f"sampled ranking: test row 3 has {better} better and {tied} "):
        check_at_chance(ranks, AMONG, "sampled")


def test_a_metric_that_favours_ties_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = metrics.per_user
    monkeypatch.setattr(metrics, "per_user", lambda name, b, t, ties: honest(name, b, t, "optimistic"))
    with pytest.raises(EvaluationError, match=r"HR@10 1\.000000 in the full ranking; chance is 0\.7"):
        check_at_chance(tied_with_all(AMONG), AMONG, "full")


def test_the_pool_leaves_out_known_items_once_and_never_the_target() -> None:
    flat = torch.tensor([1, 1, 2, 3, 4, 4])
    queries = Queries(
        torch.tensor([0, 2]), torch.tensor([5, 4]), torch.zeros(2, 1, dtype=torch.int64), flat,
        torch.tensor([0, 3, 4, 6]),
    )  # fmt: skip
    hidden = hidden_pairs(queries, 6, exclude_history=True)
    assert hidden.tolist() == [1, 2, 6 + 3]  # user 2 has had 4 alone, which is his target
    assert pool_sizes(queries, 6, hidden).tolist() == [4, 6]
    assert pool_sizes(queries, 6, hidden_pairs(queries, 6, exclude_history=False)).tolist() == [6, 6]
