"""The deciding test: against SciPy where one part is silent, by hand, by a mixed model, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW
from test_trainings import crossed, long

from grasp_bench.core.errors import DataError, IncomparableError
from grasp_bench.stats.crossed import contrast, difference, region
from grasp_bench.stats.trainings import Trainings


def method(values_SU: np.ndarray) -> Trainings:
    return Trainings.of(list(values_SU))


def test_without_luck_of_training_it_is_the_paired_t_test_of_users() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.random(60), rng.random(60)
    found = difference(Trainings.of([ours], fixed=True), Trainings.of([theirs], fixed=True))
    test = stats.ttest_rel(ours, theirs)
    assert found.p == pytest.approx(test.pvalue)
    assert found.interval() == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert found.freedom == 59


def test_without_differences_of_users_it_is_welchs_test_of_trainings() -> None:
    ours, theirs = [0.30, 0.32, 0.37], [0.21, 0.26, 0.22, 0.29]
    found = difference(*(method(np.repeat(np.array(means)[:, None], 40, axis=1)) for means in (ours, theirs)))
    welch = stats.ttest_ind(ours, theirs, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue)
    assert found.freedom == pytest.approx(welch.df)
    assert found.interval() == pytest.approx(tuple(welch.confidence_interval(0.95)))


def test_the_variance_by_hand() -> None:
    """Two trainings of each, three users; spreads 0.02 and 0.08, of which neither is below a bound."""
    ours = np.array([[0.1, 0.5, 0.3], [0.3, 0.7, 0.5]])
    theirs = np.array([[0.0, 0.2, 0.1], [0.4, 0.6, 0.5]])
    found = difference(method(ours), method(theirs))
    d = np.array([0.2, 0.6, 0.4]) - np.array([0.2, 0.4, 0.3])
    users = d.var(ddof=1) / 3
    assert found.users_variance == pytest.approx(users)
    largest, other = 0.08 / 2, max(0.02, 0.08 / 3) / 2
    assert found.trainings_variance == pytest.approx(largest + other)
    # The smaller spread is bounded by a third of the larger, and as uncertain as that is.
    slope = 1 / 2 + 1 / 3 / 2
    squares = (slope * 0.08) ** 2 / 1 + users**2 / 2
    assert found.freedom == pytest.approx((users + largest + other) ** 2 / squares)


def test_a_spread_is_never_below_twice_the_noise_that_it_must_contain() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, (3, 500))
    values -= values.mean(axis=1, keepdims=True)  # means alike by luck
    one, other = method(values), Trainings.of([np.zeros(500)], fixed=True)
    found = difference(one, other)
    assert found.trainings_variance == pytest.approx(2 * one.noise / 3)
    assert found.freedom == pytest.approx((found.error**2) ** 2 / ((one.users.var(ddof=1) / 500) ** 2 / 499))


def test_the_standard_error_is_that_of_a_mixed_model() -> None:
    """Both spreads far above their bounds: the estimate is the analysis of variance's, balanced as REML's."""
    values = crossed(8, 30, (0.2, 0.3, 0.1), seed=5)
    fitted = smf.mixedlm(
        "y ~ 1", long(values).assign(one=1), groups="one", vc_formula={"s": "0 + C(s)", "u": "0 + C(u)"}
    ).fit(reml=True)
    found = contrast([(1.0, method(values))])
    assert found.error == pytest.approx(float(fitted.bse["Intercept"]), rel=0.02)


def test_it_turns_round_and_merges_what_is_named_twice() -> None:
    one, other = method(crossed(3, 50, (1, 1, 1))), method(crossed(4, 50, (1, 1, 1), seed=1))
    there, back = difference(one, other), difference(other, one)
    assert (there.p, there.error) == (pytest.approx(back.p), pytest.approx(back.error))
    assert there.interval() == pytest.approx(tuple(-end for end in back.interval()[::-1]))
    assert contrast([(0.5, one), (-1, other), (0.5, one)]) == there
    assert difference(one, one).p == 1.0
    assert there.above(0.0) + there.below(0.0) == pytest.approx(1.0)


def test_one_training_has_an_interval_of_users_and_no_p() -> None:
    rng = np.random.default_rng(4)
    ours, theirs = rng.random(40), rng.random((3, 40))
    found = difference(Trainings.of([ours]), method(theirs))
    assert (found.decides, found.p) == (False, None)
    expected = stats.ttest_rel(ours, theirs.mean(axis=0)).confidence_interval(0.95)
    assert found.interval() == pytest.approx(tuple(expected))


def test_one_user_tells_nothing_and_other_users_are_refused() -> None:
    assert difference(method(np.array([[0.1], [0.2]])), method(np.array([[0.3], [0.5]]))).p is None
    with pytest.raises(IncomparableError, match="2 against 3"):
        difference(Trainings.of([[1, 2]]), Trainings.of([[1, 2, 3]]))
    with pytest.raises(DataError):
        contrast([])


@pytest.mark.parametrize(
    ("trainings", "sds"),
    [(2, (1, 0, 1)), (3, (1, 0.15, 1)), (5, (0.05, 0.3, 0.05)), (3, (0.05, 0.3, 0.05))],
)
def test_it_errs_as_seldom_as_it_says(trainings: int, sds: tuple[float, float, float]) -> None:
    """Users alone, both, trainings alone; benchmarks/calibration.py draws more of them, and unequal ones."""
    pairs = [
        tuple(method(crossed(trainings, 60, sds, seed=2 * draw + side)) for side in (0, 1))
        for draw in range(800)
    ]
    wrong = np.mean([(difference(*pair).p or 0.0) < 0.05 for pair in pairs])
    assert 0.005 <= wrong <= 0.07


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
