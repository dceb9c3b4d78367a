"""The components of variance of one method, and how well that between trainings is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grasp_bench.stats.levels import LEVEL
from grasp_bench.stats.trainings import Trainings


@dataclass(frozen=True)
class Components:
    """Standard deviations in the unit of the metric; each with the other parts taken out.

    `user` is between users, `users` what it gives to the mean of all of them; `trainings` is between
    trainings, `low` and `high` the ends of its interval; `rest` is what the rest gives to a training's mean.
    """

    user: float
    users: float
    trainings: float
    low: float
    high: float
    rest: float


def components(method: Trainings) -> Components | None:
    """The components of a method that was trained at least twice on at least two users; None of another."""
    n = method.users.size
    if method.fixed or method.count < 2 or n < 2:
        return None
    of_users = max(0.0, float(method.users.var(ddof=1)) - method.noise * n / method.count)
    low, high = (_root(factor**2 * method.spread - method.noise) for factor in factors(method.count))
    return Components(
        user=_root(of_users),
        users=_root(of_users / n),
        trainings=_root(method.spread - method.noise),
        low=low,
        high=high,
        rest=_root(method.noise),
    )


def factors(trainings: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of a standard deviation that was estimated from so many trainings, over its estimate.

    By chi-square with one degree of freedom less than trainings, as of normal values.
    """
    from scipy import stats

    freedom = trainings - 1
    ends = (stats.chi2.ppf(tail, freedom) for tail in ((1 + level) / 2, (1 - level) / 2))
    low, high = (float(np.sqrt(freedom / end)) for end in ends)
    return low, high


def _root(variance: float) -> float:
    return float(np.sqrt(max(0.0, variance)))
