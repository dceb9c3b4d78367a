"""Hubness against scipy and counting; overlap of rankings against the definition of Webber et al. (2010)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from grasp_bench.core.errors import DataError
from grasp_bench.retrieval.agreement import common_at_depths, hubness, jaccard, rank_biased_overlap

rankings = st.permutations(range(8)).map(lambda order: order[:5])


def test_a_table_with_one_hub() -> None:
    """Of 100 entities all name entity 0 first; it itself names 1. Second neighbours go round."""
    first = np.zeros(100, dtype=np.int32)
    first[0] = 1
    indices = np.stack([first, (np.arange(100) + 2) % 100], axis=1)
    similarities = np.where(np.arange(100)[:, None] < 3, 1.0, 0.5) * np.array([1.0, 0.9])
    found = hubness(indices, similarities)
    assert found is not None
    assert found.most == (0, 100)
    assert found.top_share == 100 / 200
    assert found.clones == 0.03
    times = np.bincount(indices.ravel(), minlength=100)
    assert found.skewness == pytest.approx(stats.skew(times))
    assert found.never == (times == 0).mean()


def test_no_neighbours_have_no_hubs() -> None:
    assert hubness(np.full((3, 2), -1), np.zeros((3, 2))) is None


def extrapolated(first: list[int], second: list[int], p: float) -> float:
    """Definition, term by term: agreement at each depth, the last one assumed for ever after."""
    k = len(first)
    agreements = [len(set(first[:d]) & set(second[:d])) / d for d in range(1, k + 1)]
    seen = (1 - p) * sum(p ** (d - 1) * agreements[d - 1] for d in range(1, k + 1))
    # Below depth k the series (1 - p) Σ p^(d-1) A_k sums to A_k p^k.
    return seen + agreements[-1] * p**k


@given(rankings, rankings, st.sampled_from([0.1, 0.5, 0.9, 0.98]))
def test_overlap_as_defined(first: list[int], second: list[int], p: float) -> None:
    common = common_at_depths(np.array([first]), np.array([second]))
    assert rank_biased_overlap(common, p)[0] == pytest.approx(extrapolated(first, second, p))
    assert jaccard(common)[0] == pytest.approx(len(set(first) & set(second)) / len(set(first) | set(second)))


def test_overlap_worked_by_hand() -> None:
    """a b c against a c d at p = 0.5: agreements 1, 1/2, 2/3."""
    common = common_at_depths(np.array([[0, 1, 2]]), np.array([[0, 2, 3]]))
    assert common.tolist() == [[1, 1, 2]]
    by_hand = 0.5 * (1 + 0.5 * 1 / 2 + 0.25 * 2 / 3) + 0.125 * 2 / 3
    assert rank_biased_overlap(common, 0.5)[0] == pytest.approx(by_hand)
    assert jaccard(common)[0] == 2 / 4


@pytest.mark.parametrize("p", [0.5, 0.9])
def test_bounds(p: float) -> None:
    same = common_at_depths(np.array([[3, 1, 2]]), np.array([[3, 1, 2]]))
    none = common_at_depths(np.array([[3, 1, 2]]), np.array([[4, 5, 6]]))
    assert rank_biased_overlap(same, p)[0] == pytest.approx(1.0)
    assert jaccard(same)[0] == 1.0
    assert rank_biased_overlap(none, p)[0] == jaccard(none)[0] == 0.0


def test_nobody_is_nothing_in_common_and_wider_tables_are_cut() -> None:
    common = common_at_depths(np.array([[1, -1, -1]]), np.array([[-1, 1]]))
    assert common.tolist() == [[0, 1]]


def test_what_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="of 1 and 2 entities"):
        common_at_depths(np.zeros((1, 2)), np.zeros((2, 2)))
    with pytest.raises(DataError, match="p is 1"):
        rank_biased_overlap(np.ones((1, 1), dtype=np.int64), 1.0)
