"""Ranks over datasets: by hand, against Demšar's example and tables, and how often they err by chance."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from grasp_bench.stats.correction import holm
from grasp_bench.stats.mean_ranks import (
    critical_difference,
    friedman,
    groups,
    least_p,
    rank_test,
    ranks,
    standard_error,
)

# Ranks of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets: Table 6 of Demšar (2006).
DEMSAR = [
    [4, 3, 2, 1], [1, 2, 3, 4], [4, 1, 2, 3], [4, 1, 3, 2], [4, 2, 3, 1], [1, 2.5, 4, 2.5], [3, 2, 4, 1],
    [2.5, 2.5, 4, 1], [4, 3, 2, 1], [2.5, 2.5, 2.5, 2.5], [4, 2.5, 1, 2.5], [3, 2, 4, 1], [4, 1, 2, 3],
    [3, 1, 4, 2],
]  # fmt: skip


def test_by_hand() -> None:
    """Three methods on four datasets, rank sums 5, 8, 11: 12 / (4·3·4) · (25 + 64 + 121) - 3·4·4 = 4.5."""
    found = ranks([[0.9, 0.8, 0.7], [0.9, 0.8, 0.7], [0.9, 0.7, 0.8], [0.8, 0.9, 0.7]])
    assert found.tolist() == [[1, 2, 3], [1, 2, 3], [1, 3, 2], [2, 1, 3]]
    test = friedman(found)
    assert test.chi_square == pytest.approx(4.5)
    assert test.p == pytest.approx(math.exp(-2.25))  # chi-square with two degrees of freedom
    assert test.f == pytest.approx(3 * 4.5 / (8 - 4.5))
    assert ranks([[0.5, 0.7, 0.5, 0.5]]).tolist() == [[3, 1, 3, 3]]


def test_the_example_that_the_field_quotes() -> None:
    found = ranks(-np.array(DEMSAR))  # a low rank is a high score
    assert found.tolist() == DEMSAR
    means = found.mean(axis=0)
    assert means == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    # The paper does not correct for ties: 9.28, and F = 3.69 of it.
    tied = sum(n**3 - n for row in found for n in np.unique(row, return_counts=True)[1])
    plain = friedman(found).chi_square * (1 - tied / (14 * 4 * 15))
    assert plain == pytest.approx(9.28, abs=5e-3)
    assert 13 * plain / (14 * 3 - plain) == pytest.approx(3.69, abs=5e-3)
    assert critical_difference(14, 4, alpha=0.10) == pytest.approx(1.12, abs=5e-3)
    tests = [rank_test(means[0], means[k], 14, 4) for k in (3, 1, 2)]
    assert [test.z for test in tests] == pytest.approx([2.416, 2.342, 0.512], abs=1e-3)
    assert [test.p for test in tests] == pytest.approx([0.016, 0.019, 0.607], abs=2e-3)


def test_nemenyi_has_the_published_quantiles() -> None:
    """Table 5(a) of Demšar (2006), for 2 to 10 methods."""
    published = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    found = [critical_difference(7, k) / standard_error(7, k) for k in range(2, 11)]
    assert found == pytest.approx(published, abs=1e-3)


@pytest.mark.parametrize("decimals", [1, 6])
def test_f_is_that_of_an_analysis_of_variance_of_the_ranks(decimals: int) -> None:
    """Iman and Davenport's F is the F of methods in a two-way layout of ranks, ties or not."""
    scores = np.random.default_rng(4).normal(size=(9, 5)).round(decimals) + np.arange(5) / 5
    found = ranks(scores)
    datasets, methods = np.repeat(np.eye(9), 5, axis=0), np.tile(np.eye(5)[:, 1:], (9, 1))
    without = sm.OLS(found.ravel(), datasets).fit()
    f, p, _ = sm.OLS(found.ravel(), np.hstack([datasets, methods])).fit().compare_f_test(without)
    test = friedman(found)
    assert (test.f, test.p_f) == pytest.approx((f, p))
    reference = stats.friedmanchisquare(*scores.T)
    assert (test.chi_square, test.p) == pytest.approx((reference.statistic, reference.pvalue))


def test_ends_of_the_scale() -> None:
    level = friedman(np.full((6, 4), 2.5))
    assert (level.chi_square, level.p, level.f, level.p_f) == (0, 1, 0, 1)
    agreed = friedman(np.tile(np.arange(1, 5), (6, 1)))
    assert (agreed.f, agreed.p_f) == (None, 0)
    assert agreed.p == pytest.approx(least_p(6, 4))
    everything = [friedman(each).p for each in itertools.product(itertools.permutations((1, 2, 3)), repeat=3)]
    assert min(everything) == pytest.approx(least_p(3, 3))


def test_groups_are_runs_that_span_less_than_the_difference() -> None:
    assert groups([3.0, 1.0, 2.0], 1.5) == [[1, 2], [2, 0]]
    assert groups([1.0, 2.0, 3.0], 1.0) == [[0], [1], [2]]
    assert groups([2.0, 2.0, 2.0], 0.5) == [[0, 1, 2]]
    assert groups([1.0, 1.4, 3.0, 3.1], 1.0) == [[0, 1], [2, 3]]


@pytest.mark.parametrize(("datasets", "methods"), [(5, 3), (5, 5), (8, 4)])
def test_equal_methods_are_rarely_told_apart(datasets: int, methods: int) -> None:
    """2,000 worlds in which the order of the methods on every dataset is chance."""
    rng, worlds = np.random.default_rng(11), 2000
    nemenyi, after_holm, overall = 0, 0, 0
    difference = critical_difference(datasets, methods)
    for _ in range(worlds):
        found = ranks(rng.normal(size=(datasets, methods)))
        means = found.mean(axis=0).tolist()
        overall += friedman(found).p < 0.05
        nemenyi += max(means) - min(means) >= difference
        pairs = [rank_test(a, b, datasets, methods).p for a, b in itertools.combinations(means, 2)]
        after_holm += min(holm(pairs)) < 0.05
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / worlds)
    assert overall / worlds <= most
    assert nemenyi / worlds <= most
    assert after_holm / worlds <= most
