"""Power of the deciding test: against statsmodels where one part is silent, by simulation where none is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower
from test_trainings import crossed

from grasp_bench.stats.crossed import difference
from grasp_bench.stats.power import MOST_TRAININGS, Outlook
from grasp_bench.stats.trainings import Trainings, components, factors

USERS, DRAWS = 60, 800


def method(values_SU: np.ndarray) -> Trainings:
    return Trainings.of(list(values_SU))


@pytest.mark.parametrize("users", [5, 40, 22_363])
def test_without_luck_of_training_it_is_that_of_the_t_test_over_users(users: int) -> None:
    outlook, size = Outlook(users, 1 / users, ()), 2.5 / users**0.5
    assert outlook.power(size, ()) == pytest.approx(TTestPower().power(size, users, 0.05), abs=1e-3)
    expected = TTestPower().solve_power(nobs=users, alpha=0.05, power=0.8)
    assert outlook.least(()) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("trainings", [2, 3, 8])
def test_with_trainings_of_one_method_alone_it_is_that_of_the_t_test_over_them(trainings: int) -> None:
    """Against a control: the one spread has all the degrees of freedom."""
    outlook = Outlook(1000, 0.0, ((1.0, 0.0),))
    for size in (0.5, 1.0, 2.0):
        expected = TTestPower().power(size, trainings, 0.05)
        assert outlook.power(size, [trainings]) == pytest.approx(expected, abs=1e-3)


def test_with_many_trainings_of_both_alone_it_is_that_of_the_t_test_of_two_samples() -> None:
    """With few it is below: which spread is larger is not known, and degrees of freedom pay for that."""
    outlook = Outlook(1000, 0.0, ((1.0, 0.0), (1.0, 0.0)))
    for size in (0.2, 0.5, 0.8):
        expected = TTestIndPower().power(size, 40, 0.05)
        assert outlook.power(size, [40, 40]) == pytest.approx(expected, abs=0.005)
    assert outlook.power(2.0, [3, 3]) < TTestIndPower().power(2.0, 3, 0.05)


@pytest.mark.parametrize("trainings", [3, 5])
@pytest.mark.parametrize(
    "sds",
    [
        [(1, 0.15, 1), (1, 0.15, 1)],
        [(0.05, 0.3, 0.05), (0.05, 0.3, 0.05)],
        [(0.5, 0.3, 0.2), (0.5, 0.05, 0.2)],
        [(0.5, 0, 1), (0.5, 0, 1)],
    ],
    ids=["all parts", "trainings", "unequal trainings", "no trainings"],
)
def test_the_test_tells_as_often_as_promised(trainings: int, sds: list[tuple[float, float, float]]) -> None:
    """The share of p below 0.05 where the difference is the one that should be told 80 times of 100."""
    trained = tuple((of_trainings**2 + rest**2 / USERS, rest**2 / USERS) for _, of_trainings, rest in sds)
    outlook = Outlook(USERS, sum(of_users**2 for of_users, _, _ in sds) / USERS, trained)
    size = outlook.least([trainings, trainings])
    told = 0
    for draw in range(DRAWS):
        one, other = (
            crossed(trainings, USERS, parts, seed=2 * draw + side) for side, parts in enumerate(sds)
        )
        p = difference(method(one + size), method(other)).p
        told += p is not None and p < 0.05
    assert told / DRAWS == pytest.approx(0.8, abs=0.05)


def test_today_is_what_the_test_sees_and_more_trainings_tell_smaller_differences() -> None:
    one, other = method(crossed(4, 200, (1, 0.1, 1))), method(crossed(3, 200, (1, 0.2, 1), seed=1))
    outlook = Outlook.of(one, other)
    assert outlook is not None
    assert outlook.users_variance == pytest.approx(difference(one, other).users_variance)
    assert outlook.trained[1] == pytest.approx((max(other.spread, one.spread / 3), other.noise))
    least = [outlook.least([count, count]) for count in range(2, MOST_TRAININGS + 1)]
    assert least == sorted(least, reverse=True)
    assert outlook.trainings(least[10]) == 12
    assert outlook.trainings(least[-1] * 0.99) is None
    assert outlook.power(least[3], [5, 5]) == pytest.approx(0.8)


def test_users_are_too_few_where_no_training_could_help() -> None:
    outlook = Outlook(100, 0.01, ((0.02, 0.001), (0.02, 0.001)))
    needed = outlook.users(0.2)
    assert needed is not None
    alone = TTestPower().power(0.2, needed, 0.05)  # a user's standard deviation is 1
    assert alone == pytest.approx(0.8, abs=0.005)
    assert outlook.users(0.3) is None


def test_what_decides_nothing_has_no_outlook_and_what_does_not_vary_tells_everything() -> None:
    once, twice = Trainings.of([[0.1, 0.2, 0.4]]), method(np.array([[0.1, 0.2, 0.4], [0.3, 0.2, 0.1]]))
    assert Outlook.of(once, twice) is None
    control = Trainings.of([[0.5, 0.5, 0.5]], fixed=True)
    still = Outlook.of(control, method(np.full((2, 3), 0.25)))
    assert still is not None
    assert (still.least([2]), still.trainings(0.001), still.users(0.001)) == (0.0, 2, None)
    assert (still.power(0.001, [2]), still.power(0.0, [2])) == (1.0, 0.0)


def test_components_add_up_to_the_mean_squares() -> None:
    """Both ways: Searle, Casella and McCulloch's expected mean squares hold of what is found."""
    values = crossed(5, 80, (0.3, 0.2, 0.25), seed=2)
    found = components(method(values))
    assert found is not None
    of_trainings = values.mean(axis=1).var(ddof=1)
    of_users = values.mean(axis=0).var(ddof=1)
    assert found.trainings**2 + found.rest**2 == pytest.approx(of_trainings)
    assert found.user**2 + 80 * found.rest**2 / 5 == pytest.approx(of_users)
    assert found.users == pytest.approx(found.user / 80**0.5)
    ends = [4 * of_trainings / stats.chi2.isf(tail, 4) for tail in (0.025, 0.975)]
    assert (found.low, found.high) == pytest.approx(
        tuple(max(0.0, end - found.rest**2) ** 0.5 for end in ends)
    )
    assert components(Trainings.of([[0.1, 0.2]])) is None


def test_the_interval_of_a_standard_deviation_holds_as_often_as_it_says() -> None:
    low, high = factors(3)
    sds = np.random.default_rng(0).normal(0, 1, (20_000, 3)).std(axis=1, ddof=1)
    assert np.mean((sds * low < 1) & (sds * high > 1)) == pytest.approx(0.95, abs=0.01)
