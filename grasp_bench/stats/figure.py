"""An interval for one method's figure, as chance in its users and in its trainings leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grasp_bench.stats.crossed import Contrast, contrast
from grasp_bench.stats.levels import LEVEL
from grasp_bench.stats.trainings import Trainings


@dataclass(frozen=True)
class FigureInterval:
    """A mean and its interval, in the unit of the metric; `trainings` says how many its width knows of."""

    mean: float
    low: float
    high: float
    trainings: int


def figure_interval(method: Trainings, *, level: float = LEVEL) -> FigureInterval:
    """Interval of a method's mean for other users and trainings (`contrast`), cut to [0, 1].

    Of one training the interval covers the choice of users alone.
    """
    found = contrast([(1.0, method)])
    low, high = found.interval(level)
    return FigureInterval(method.mean, max(0.0, low), min(1.0, high), method.count)


def over_trainings(values_S: Sequence[float], errors_S: Sequence[float]) -> Contrast:
    """Mean over S trainings of a figure that is no mean over users, as an AUC, and the chance in it.

    `errors_S` are its standard errors over users. Trainings share their users, so that the users' part of the
    mean is taken as that of one training; their spread comes on top, which counts the rest twice and errs on
    the wide side. It decides nothing of one training.
    """
    values, errors = np.asarray(values_S, dtype=float), np.asarray(errors_S, dtype=float)
    of_users = float(np.mean(errors**2))
    if values.size < 2:
        return Contrast(float(values.mean()), of_users, 0.0, np.inf, decides=False)
    spread = float(values.var(ddof=1)) / values.size
    freedom = (of_users + spread) ** 2 / (spread**2 / (values.size - 1)) if spread else np.inf
    return Contrast(float(values.mean()), of_users, spread, freedom, decides=True)
