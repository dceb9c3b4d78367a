"""Ranking metrics against ir_measures, and the tie policies against averages over all orders."""

from __future__ import annotations

import itertools

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core import ranks
from grasp_bench.core.errors import UnknownNameError

COUNTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=20)
CUTOFFS = (1, 3, 5, 10, 20)


def arrays(counts: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    better, tied = zip(*counts, strict=True)
    return np.array(better), np.array(tied)


@pytest.mark.parametrize("k", CUTOFFS)
def test_metrics_agree_with_ir_measures(k):
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(60.0), (40, 1)), axis=1)
    run = {str(u): {str(i): float(scores[u, i]) for i in range(60)} for u in range(40)}
    qrels = {str(u): {"0": 1} for u in range(40)}
    better = (scores > scores[:, :1]).sum(1)
    tied = np.zeros(40, dtype=int)
    for ours, theirs in (("NDCG", "nDCG"), ("HR", "Success"), ("MRR", "RR")):
        measure = ir_measures.parse_measure(f"{theirs}@{k}")
        expected = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, run)}
        found = ranks.per_user(f"{ours}@{k}", better, tied, "mean")
        np.testing.assert_allclose(found, [expected[str(u)] for u in range(40)], atol=1e-12)


@pytest.mark.parametrize("name", sorted(ranks.METRICS))
def test_mean_policy_is_the_average_over_every_order_of_the_ties(name):
    better, tied, k = 2, 3, 4
    values = []
    for order in itertools.permutations(range(tied + 1)):
        rank = better + order.index(0) + 1
        gain = {"NDCG": 1 / np.log2(1 + rank), "HR": 1.0, "MRR": 1 / rank}[name]
        values.append(gain if rank <= k else 0.0)
    found = ranks.per_user(f"{name}@{k}", np.array([better]), np.array([tied]), "mean")
    assert found[0] == pytest.approx(np.mean(values), abs=1e-12)


@pytest.mark.parametrize("candidates", [101, 12101])
@pytest.mark.parametrize("k", CUTOFFS)
def test_a_constant_scorer_scores_at_chance(candidates, k):
    better, tied = np.array([0]), np.array([candidates - 1])
    discounts = 1 / np.log2(np.arange(2, k + 2))
    assert ranks.per_user(f"HR@{k}", better, tied, "mean")[0] == pytest.approx(k / candidates)
    assert ranks.per_user(f"NDCG@{k}", better, tied, "mean")[0] == pytest.approx(discounts.sum() / candidates)


@given(COUNTS, st.sampled_from(sorted(ranks.METRICS)), st.sampled_from(CUTOFFS))
def test_policies_bracket_the_mean_and_stay_in_the_unit_interval(counts, name, k):
    better, tied = arrays(counts)
    worst, mean, best = (
        ranks.per_user(f"{name}@{k}", better, tied, ties) for ties in ("pessimistic", "mean", "optimistic")
    )
    assert (worst <= mean + 1e-12).all()
    assert (mean <= best + 1e-12).all()
    assert (worst >= 0).all()
    assert (best <= 1).all()


@given(st.integers(0, 50), st.integers(0, 50), st.sampled_from(sorted(ranks.METRICS)))
def test_a_worse_rank_never_gains(better, tied, name):
    betters, ties = np.array([better, better + 1, better]), np.array([tied, tied, tied + 1])
    values = ranks.per_user(f"{name}@10", betters, ties, "mean")
    assert values[1] <= values[0] + 1e-12
    assert values[2] <= values[0] + 1e-12


def test_narrow_unsigned_counts_do_not_overflow():
    better, tied = np.array([65535], dtype=np.uint16), np.array([10], dtype=np.uint16)
    assert ranks.per_user("HR@10", better, tied, "pessimistic")[0] == 0.0


@pytest.mark.parametrize("name", ["NDGC@10", "NDCG@0", "NDCG", "recall@5"])
def test_unknown_metrics_are_refused_by_name(name):
    with pytest.raises(UnknownNameError, match="unknown metric"):
        ranks.parse(name)
