"""Intervals of one figure, and of the points of a curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from grasp_bench.core.errors import DataError
from grasp_bench.stats.intervals import figure_interval, half_width, over_trainings
from grasp_bench.stats.trainings import Trainings

# Loftus and Masson (1994), Table 2: words recalled by ten subjects at exposures of 1, 2 and 5 s. They
# give a mean square of 0.61 with 18 degrees of freedom, and an interval of ± 0.52.
RECALLED = [
    (10, 13, 13), (6, 8, 8), (11, 14, 14), (22, 23, 25), (16, 18, 20),
    (15, 17, 17), (1, 1, 4), (12, 15, 17), (9, 12, 12), (8, 9, 12),
]  # fmt: skip


def test_one_training_is_students_interval_over_users() -> None:
    values = np.random.default_rng(0).beta(2, 5, size=80)
    found = figure_interval(Trainings.of([values]))
    low, high = stats.t.interval(0.95, 79, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.mean, found.trainings) == (pytest.approx(values.mean()), 1)


def test_without_spread_over_users_it_is_students_interval_over_trainings() -> None:
    means = [0.30, 0.32, 0.37]
    found = figure_interval(Trainings.of([np.full(50, mean) for mean in means]))
    low, high = stats.t.interval(0.95, 2, loc=np.mean(means), scale=stats.sem(means))
    assert (found.low, found.high) == pytest.approx((low, high))


def test_it_covers_the_truth_where_users_and_trainings_both_vary() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(600):
        users, trainings = rng.normal(0, 0.1, 60), rng.normal(0, 0.02, (3, 1))
        values = 0.5 + users + trainings + rng.normal(0, 0.03, (3, 60))
        found = figure_interval(Trainings.of(list(values)))
        hits += found.low <= 0.5 <= found.high
    assert 0.93 <= hits / 600 <= 0.99


def test_constant_values_and_the_ends_of_the_scale() -> None:
    assert figure_interval(Trainings.of([np.ones(5), np.ones(5)])).low == 1.0
    assert figure_interval(Trainings.of([np.array([0.0])])).high == 0.0
    nearly = figure_interval(Trainings.of([np.array([0.0, 0.0, 0.0, 1.0])]))
    assert (nearly.low, nearly.high) == (0.0, 1.0)


def test_a_figure_that_is_no_mean_over_users_has_both_parts_too() -> None:
    exact = over_trainings([0.30, 0.32, 0.37], [0.0] * 3)
    low, high = stats.t.interval(0.95, 2, loc=0.33, scale=stats.sem([0.30, 0.32, 0.37]))
    assert exact.interval() == pytest.approx((low, high))
    assert exact.p == pytest.approx(stats.ttest_1samp([0.30, 0.32, 0.37], 0).pvalue)
    users = over_trainings([0.3, 0.3], [0.01, 0.01])
    assert users.interval() == pytest.approx((0.3 - 1.96 * 0.01, 0.3 + 1.96 * 0.01), abs=1e-5)
    assert over_trainings([0.3], [0.01]).p is None


def test_it_covers_where_users_are_shared_by_trainings() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(800):
        values = 0.1 + rng.normal(0, 0.02) + rng.normal(0, 0.01, 3) + rng.normal(0, 0.01, 3)
        low, high = over_trainings(values.tolist(), [np.hypot(0.02, 0.01)] * 3).interval()
        hits += low <= 0.1 <= high
    assert hits / 800 >= 0.94


def test_the_example_of_the_paper() -> None:
    assert half_width(np.array(RECALLED).T) == pytest.approx(0.52, abs=0.005)


def test_what_a_seed_adds_to_all_points_does_not_count() -> None:
    values = np.array([[0.1, 0.3], [0.2, 0.4], [0.25, 0.45]])
    assert half_width(values) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("values", [[[0.1, 0.2]], [[0.1], [0.2]]])
def test_one_point_or_one_seed_has_no_interval(values: list[list[float]]) -> None:
    assert half_width(values) is None


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        half_width([[0.1, float("nan")], [0.1, 0.2]])
