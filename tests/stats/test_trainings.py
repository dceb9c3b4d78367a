"""Components of variance: against statsmodels' two-way analysis of variance and its mixed model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from grasp_bench.core.errors import DataError, IncomparableError
from grasp_bench.stats.trainings import Trainings


def crossed(trainings: int, users: int, sds: tuple[float, float, float], seed: int = 0) -> np.ndarray:
    """Values (S, U) with known standard deviations of users, trainings and the rest."""
    rng = np.random.default_rng(seed)
    of_users, of_trainings, rest = sds
    return (
        0.5
        + rng.normal(0, of_users, users)
        + rng.normal(0, of_trainings, (trainings, 1))
        + rng.normal(0, rest, (trainings, users))
    )


def long(values_SU: np.ndarray) -> pd.DataFrame:
    trainings, users = np.indices(values_SU.shape)
    return pd.DataFrame({"y": values_SU.ravel(), "s": trainings.ravel(), "u": users.ravel()})


def test_spread_and_noise_are_the_mean_squares_of_a_two_way_analysis_of_variance() -> None:
    values = crossed(4, 25, (0.3, 0.1, 0.2))
    table = sm.stats.anova_lm(smf.ols("y ~ C(s) + C(u)", long(values)).fit())
    found = Trainings.of(list(values))
    assert found.spread == pytest.approx(table.loc["C(s)", "mean_sq"] / 25)
    assert found.noise == pytest.approx(table.loc["Residual", "mean_sq"] / 25)


def test_components_are_those_of_a_mixed_model_with_crossed_effects() -> None:
    values = crossed(6, 30, (0.3, 0.25, 0.2), seed=3)
    parts = {"s": "0 + C(s)", "u": "0 + C(u)"}
    data = long(values).assign(one=1)
    fitted = smf.mixedlm("y ~ 1", data, groups="one", vc_formula=parts).fit(reml=True)
    by_name = dict(zip(fitted.model.exog_vc.names, fitted.vcomp, strict=True))
    found = Trainings.of(list(values))
    assert found.spread - found.noise == pytest.approx(by_name["s"], rel=0.02)
    assert found.noise * 30 == pytest.approx(fitted.scale, rel=0.02)


def test_one_training_says_nothing_of_another_and_what_nothing_trains_needs_none() -> None:
    once, control = Trainings.of([[0.1, 0.2]]), Trainings.of([[0.1, 0.2]], fixed=True)
    assert (once.known, control.known, Trainings.of([[0.1], [0.2]]).known) == (False, True, True)
    assert (once.spread, once.noise, control.first(1)) == (0.0, 0.0, control)


def test_measured_otherwise_the_same_trainings_are_subtracted_one_by_one() -> None:
    first, second = Trainings.of([[1, 1], [0, 1]]), Trainings.of([[0, 1], [0, 0]])
    assert first.less(second).values_SU.tolist() == [[1, 0], [0, 1]]
    assert first.first(1).values_SU.tolist() == [[1, 1]]


def test_what_cannot_be_stacked_is_refused() -> None:
    with pytest.raises(IncomparableError, match="2 against 3"):
        Trainings.of([[0.1, 0.2, 0.3], [0.1, 0.2]])
    for empty in ([], [[]], [[float("nan")]]):
        with pytest.raises(DataError):
            Trainings.of(empty)
