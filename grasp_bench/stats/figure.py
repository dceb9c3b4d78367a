"""An interval for one method's figure, as chance in its users and in its seeds leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.bootstrap import LEVEL
from grasp_bench.stats.pairing import mean_over_seeds


@dataclass(frozen=True)
class FigureInterval:
    """A mean and its interval, in the unit of the metric; `seeds` says how many seeds its width knows of."""

    mean: float
    low: float
    high: float
    seeds: int


def figure_interval(values_SU: Sequence[ArrayLike], *, level: float = LEVEL) -> FigureInterval:
    """Interval of the mean over users and seeds; `values_SU` are S arrays of one value a user, (users,).

    Users and seeds are crossed random effects. The variance of the mean is taken as that of the users'
    means over n plus that of the seeds' means over S, which counts the noise of single cells twice and so
    errs, by little, on the wide side; quantiles are Student's t with Satterthwaite's degrees of freedom
    (Satterthwaite, Biometrics Bulletin 1946). Two seeds say little about their spread, and the interval
    is as wide as that. Of one seed the interval covers the choice of users alone. Cut to [0, 1].

    Raises DataError when there is no user, or a value is not finite.
    """
    from scipy import stats

    users = mean_over_seeds(values_SU)
    mean = float(users.mean())
    parts = [_variance_of_mean(users)]
    if len(values_SU) > 1:
        parts.append(_variance_of_mean(np.array([np.asarray(values).mean() for values in values_SU])))
    variance = sum(part for part, _ in parts)
    if variance == 0:
        return FigureInterval(mean, mean, mean, len(values_SU))
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts if part)
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * float(np.sqrt(variance))
    return FigureInterval(mean, max(0.0, mean - half), min(1.0, mean + half), len(values_SU))


def _variance_of_mean(values: np.ndarray) -> tuple[float, int]:
    """Squared standard error of the mean and its degrees of freedom; nothing of a lone value."""
    if values.size < 2:
        return 0.0, 1
    return float(values.var(ddof=1)) / values.size, values.size - 1
