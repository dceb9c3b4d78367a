"""Where a difference lies: read off intervals, and equivalence against statsmodels' two one-sided tests."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from grasp_bench.stats.crossed import contrast, difference
from grasp_bench.stats.trainings import Trainings
from grasp_bench.stats.verdict import region


def shifted(by: float, seed: int = 0) -> Trainings:
    return Trainings.of([np.random.default_rng(seed).normal(by, 1, 400)], fixed=True)


def test_without_a_size_it_is_the_two_sided_test() -> None:
    for by in (-0.3, 0.02, 0.3):
        found = contrast([(1.0, shifted(by))])
        assert region(found).p == pytest.approx(found.p)
        assert region(found).where == ("above" if found.difference > 0 else "below")


def test_equivalence_is_that_of_two_one_sided_tests() -> None:
    values = np.random.default_rng(1).normal(0.01, 1, 400)
    found = region(contrast([(1.0, Trainings.of([values], fixed=True))]), 0.2)
    p, _, _ = DescrStatsW(values).ttost_mean(-0.2, 0.2)
    assert (found.where, found.p) == ("equivalent", pytest.approx(2 * p))


@pytest.mark.parametrize("size", [0.05, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("by", [-0.5, -0.2, 0.0, 0.1, 0.25, 0.5])
def test_it_is_decided_where_the_interval_lies_in_one_region(by: float, size: float) -> None:
    found = difference(shifted(by), shifted(0.0, seed=9))
    low, high = found.interval()
    inside = {"above": low > size, "below": high < -size, "equivalent": -size < low and high < size}
    decided = region(found, size)
    assert (decided.p < 0.05) == any(inside.values())
    if decided.p < 0.05:
        assert inside[decided.where]
