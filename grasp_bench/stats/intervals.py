"""Intervals for the figure of one method, and for the points of a curve that share their seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.core.errors import DataError
from grasp_bench.stats.crossed import Contrast, contrast
from grasp_bench.stats.levels import TAILS
from grasp_bench.stats.trainings import Trainings


@dataclass(frozen=True)
class FigureInterval:
    """A mean and its interval, in the unit of the metric, from so many trainings."""

    mean: float
    low: float
    high: float
    trainings: int


def figure_interval(method: Trainings) -> FigureInterval:
    """Interval of a method's mean for other users and trainings (`contrast`), cut to [0, 1].

    With one training the interval covers the choice of users only.
    """
    found = contrast([(1.0, method)])
    low, high = found.interval()
    return FigureInterval(method.mean, max(0.0, low), min(1.0, high), method.count)


def over_trainings(values_S: Sequence[float], errors_S: Sequence[float]) -> Contrast:
    """Mean over S trainings of a figure that is not a mean over users, such as an AUC, and its variance.

    `errors_S` are its standard errors over users. Trainings share their users, so the users' part of the mean
    is that of one training; adding the spread counts the rest twice, which makes the interval slightly wide.
    One training does not decide.
    """
    values, errors = np.asarray(values_S, dtype=float), np.asarray(errors_S, dtype=float)
    of_users = float(np.mean(errors**2))
    if values.size < 2:
        return Contrast(float(values.mean()), of_users, 0.0, np.inf, decides=False)
    spread = float(values.var(ddof=1)) / values.size
    freedom = (of_users + spread) ** 2 / (spread**2 / (values.size - 1)) if spread else np.inf
    return Contrast(float(values.mean()), of_users, spread, freedom, decides=True)


def half_width(values_PS: ArrayLike) -> float | None:
    """Half the width of the interval of each point's mean over seeds, the same for all P points.

    `values_PS` is (P, S), the value of each point with each seed. The effect of a seed on all points is
    removed, and the rest is pooled over points, so that two seeds at several points suffice (Loftus and
    Masson, Psychonomic Bulletin & Review 1994, equation 2). The interval shows which points differ, not where
    the curve lies. None for a single point or seed. Raises DataError when a value is missing or not finite.
    """
    values = np.asarray(values_PS, dtype=float)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise DataError("the interval of a curve needs a finite value of every point with every seed")
    points, seeds = values.shape
    freedom = (points - 1) * (seeds - 1)
    if not freedom:
        return None
    from scipy import stats

    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + values.mean()
    error = float((rest**2).sum()) / freedom
    return float(stats.t.ppf(TAILS[1], freedom)) * float(np.sqrt(error / seeds))
