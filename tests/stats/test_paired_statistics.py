"""Tests and intervals against scipy, statsmodels, hand computation and their own definitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from grasp_bench.core.errors import DataError, IncomparableError
from grasp_bench.stats.bootstrap import mean_interval
from grasp_bench.stats.comparison import (
    cohens_dz,
    compare,
    paired_t,
    rank_biserial,
    sign_flip,
    superiority,
    wilcoxon,
)
from grasp_bench.stats.pairing import paired_differences, require_same_users
from grasp_bench.stats.trainings import Trainings

DIFFERENCES = arrays(np.float64, st.integers(2, 40), elements=st.sampled_from([-0.5, -0.25, 0.0, 0.125, 1.0]))


def test_roundings_do_not_count_as_differences() -> None:
    assert 0.1 + 0.2 != 0.3
    assert paired_differences([0.1 + 0.2], [0.3]).tolist() == [0.0]


def test_different_lengths_are_refused() -> None:
    with pytest.raises(IncomparableError, match="2 against 3"):
        paired_differences([0, 1, 1], [0, 1])


@pytest.mark.parametrize("values", [[], [0.1, float("nan")], [float("inf")]])
@pytest.mark.parametrize("function", [paired_t, wilcoxon, sign_flip, mean_interval, cohens_dz, rank_biserial])
def test_no_users_and_nan_are_refused(function, values) -> None:
    with pytest.raises(DataError):
        function(values)


def test_different_users_are_named() -> None:
    with pytest.raises(IncomparableError, match=r"1 are only in a, 2 only in b \(e.g. user 1, 7, 8\)"):
        require_same_users("a", np.array([1, 2]), "b", np.array([2, 7, 8]))


@settings(max_examples=40)
@given(DIFFERENCES)
def test_t_is_that_of_two_related_samples(d) -> None:
    if np.ptp(d) > 0:
        other = np.linspace(0, 1, d.size)
        assert paired_t(d) == pytest.approx(scipy_stats.ttest_rel(other + d, other).pvalue)


def test_t_by_hand() -> None:
    # d = 1, 2, 3: mean 2, sd 1, t = 2√3 with 2 degrees of freedom; p = 1 − t/√(t² + 2) = 1 − √(12/14).
    assert paired_t([1, 2, 3]) == pytest.approx(1 - np.sqrt(12 / 14))


def test_wilcoxon_by_hand() -> None:
    # Five distinct gains, zeros dropped: only one of 2^5 sign patterns is as large, two-sided 2/32.
    assert wilcoxon([0.1, 0.2, 0.3, 0.4, 0.5, 0, 0, 0]) == pytest.approx(2 / 32)


@settings(max_examples=10)
@given(arrays(np.float64, st.integers(2, 8), elements=st.sampled_from([-0.5, -0.25, 0.25, 0.5, 1.0])))
def test_wilcoxon_of_few_users_with_ties_is_that_of_scipy(d) -> None:
    assert wilcoxon(d) == scipy_stats.wilcoxon(d, zero_method="wilcox", method="auto").pvalue


def test_wilcoxon_of_few_users_with_ties_tries_every_sign() -> None:
    # Thirteen equal sizes: ten gains or more, or ten losses or more, of Binomial(13, 1/2).
    assert wilcoxon([0.5] * 10 + [-0.5] * 3) == pytest.approx(2 * scipy_stats.binom.sf(9, 13, 0.5))


def test_wilcoxon_on_many_users_matches_the_normal_approximation() -> None:
    d = np.random.default_rng(1).normal(0.05, 1, 400)
    ranks = scipy_stats.rankdata(np.abs(d))
    w, n = ranks[d > 0].sum(), d.size
    z = (w - n * (n + 1) / 4) / np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    assert wilcoxon(d) == pytest.approx(2 * scipy_stats.norm.sf(abs(z)), rel=1e-6)


@pytest.mark.parametrize("d", [[0.3], [0.0], [0.0, 0.0]])
def test_what_tells_nothing_has_p_one(d) -> None:
    assert paired_t(d) == wilcoxon(d) == sign_flip(d) == 1.0


def test_equal_differences_are_certain_to_t_but_not_to_permutation() -> None:
    assert paired_t([0.1, 0.1, 0.1]) == 0.0
    assert sign_flip([0.1, 0.1, 0.1]) == pytest.approx(0.25, abs=0.02)  # 2 of 8 sign patterns
    assert cohens_dz([0.1, 0.1, 0.1]) is None
    interval = mean_interval([0.1, 0.1, 0.1])
    assert (interval.low, interval.high) == (0.1, 0.1)


@settings(max_examples=20)
@given(arrays(np.float64, st.integers(1, 10), elements=st.integers(-8, 8).map(lambda x: x / 8)))
def test_permutation_converges_to_the_count_of_all_sign_patterns(d) -> None:
    signs = np.array(list(itertools.product([-1, 1], repeat=d.size)))
    exact = np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-9)
    assert sign_flip(d, flips=9_999) == pytest.approx(exact, abs=0.03)


@settings(max_examples=30)
@given(DIFFERENCES)
def test_permutation_p_is_symmetrical_and_a_fraction_of_the_flips(d) -> None:
    p = sign_flip(d, flips=199)
    assert 1 / 200 <= p <= 1
    assert p * 200 == pytest.approx(round(p * 200))
    assert sign_flip(-d, flips=199) == p


def test_permutation_agrees_with_scipy() -> None:
    d = np.random.default_rng(2).normal(0.1, 1, 200)
    theirs = scipy_stats.permutation_test(
        (d,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=99_999,
        vectorized=True,
        batch=10_000,
        rng=np.random.default_rng(0),
    )
    assert sign_flip(d) == pytest.approx(theirs.pvalue, abs=0.02)


def test_permutation_blocks_do_not_repeat_each_other() -> None:
    d = np.random.default_rng(3).normal(0.1, 1, 100)
    assert sign_flip(d, flips=40_000) == pytest.approx(paired_t(d), abs=0.02)


def test_permutation_p_is_uniform_under_the_null() -> None:
    rng = np.random.default_rng(4)
    p = [sign_flip(rng.normal(size=50), flips=199, seed=seed) for seed in range(300)]
    assert scipy_stats.kstest(p, "uniform").pvalue > 0.001


def test_interval_matches_the_normal_one_on_many_users() -> None:
    d = np.where(
        np.random.default_rng(5).random(5_000) < 0.3, np.random.default_rng(6).normal(0.1, 1, 5_000), 0
    )
    half = 1.96 * d.std() / np.sqrt(d.size)
    interval = mean_interval(d)
    assert interval.low == pytest.approx(d.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(d.mean() + half, abs=0.1 * half)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for seed in range(200):
        interval = mean_interval(rng.normal(0.2, 1, 60), resamples=400, seed=seed)
        hits += interval.low <= 0.2 <= interval.high
    assert 0.89 <= hits / 200 <= 0.99


def test_interval_with_a_single_user_who_differs() -> None:
    interval = mean_interval([1.0] + [0.0] * 9)  # draws Binomial(10, 1/10) / 10: 95 % within 0 … 0.3
    assert interval.low == 0.0
    assert interval.high == pytest.approx(0.3)


def test_effects_by_hand() -> None:
    assert cohens_dz([1, 2, 3]) == pytest.approx(2.0)
    # |d| ranks 1, 2, 3; only the smallest is negative: (2 + 3 − 1) / 6.
    assert rank_biserial([-0.1, 0.2, 0.3, 0.0]) == pytest.approx(4 / 6)
    assert cohens_dz([0, 0]) == rank_biserial([0, 0]) == 0.0


def test_comparison_counts_and_turns_round() -> None:
    first, second = Trainings.of([[1.0, 0.5, 0.2, 0.2]]), Trainings.of([[0.0, 0.5, 0.4, 0.1]])
    one, other = compare(first, second), compare(second, first)
    assert (one["n"], one["gained"], one["lost"]) == (4, 2, 1)
    assert one["difference"] == pytest.approx(0.225)
    assert one["difference"] == -other["difference"]
    for key in ("p_t", "p_wilcoxon", "p_permutation"):
        assert one[key] == other[key]
    assert (one["p"], one["trainings"], one["superiority"]) == (None, [1, 1], (2 + 1 / 2) / 4)


def test_wilcoxon_is_left_out_where_users_are_many() -> None:
    rng = np.random.default_rng(0)
    few, many = ([Trainings.of(rng.random((2, n))) for _ in range(2)] for n in (999, 1_000))
    assert compare(*few)["p_wilcoxon"] is not None
    assert compare(*many)["p_wilcoxon"] is None


def test_superiority_counts_every_pair_of_trainings_and_halves_ties() -> None:
    ours, theirs = [[1, 0], [0.5, 0]], [[0.5, 0], [0.2, 0.1], [1, 1]]
    wins = sum((a > b) + (a == b) / 2 for x in ours for y in theirs for a, b in zip(x, y, strict=True))
    assert superiority(ours, theirs) == pytest.approx(wins / 12)
    assert superiority(ours, ours) == 0.5
    u = scipy_stats.mannwhitneyu([1, 0.5], [0.5, 0.2, 1]).statistic
    assert superiority([[1], [0.5]], [[0.5], [0.2], [1]]) == pytest.approx(u / 6)
