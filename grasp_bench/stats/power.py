"""Compute how many trainings it takes to detect a difference of two methods by the test of stats/crossed.py.

The current components of variance count as the true ones, with the bounds of the test. With k trainings of
each method the variance of the difference is the users' part, which trainings do not reduce, plus the spreads
over k. The estimate of that variance varies too: mean squares are multiples of chi-squares, independent of
the means, and power is the mean over them of the normal probability to pass the test's critical value. A
noncentral t with Satterthwaite's expected degrees of freedom would be simpler, but promises 80 % at three
trainings where the test may have 60 %, because it assumes to know which spread is large.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from grasp_bench.stats.crossed import MeanSquares, difference, parts_of_variance
from grasp_bench.stats.levels import ALPHA
from grasp_bench.stats.pairing import Values
from grasp_bench.stats.trainings import Trainings

POWER = 0.8
MOST_TRAININGS = 50
NODES_OF_USERS, NODES_OF_SPREADS = 12, 32  # of Gauss–Legendre quadrature over quantiles


@dataclass(frozen=True)
class Outlook:
    """The variance of a difference of two methods for other numbers of trainings.

    `users_variance` is the part of the `n` users without the rest; `trained` has the spread and the noise of
    each trained method, which leaves controls out.
    """

    n: int
    users_variance: float
    trained: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, first: Trainings, second: Trainings) -> Outlook | None:
        """Take it from today's values; None if they do not decide, as when a method was trained once."""
        today = difference(first, second)
        if not today.decides:
            return None
        squares = MeanSquares.of([(1 / each.count, each) for each in (first, second) if not each.fixed])
        trained = zip(squares.bounded.tolist(), squares.noise.tolist(), strict=True)
        return cls(first.users.size, today.users_variance, tuple(trained))

    def power(self, size: float, counts: Sequence[int]) -> float:
        """Power to detect a true difference of this size with so many trainings of each trained method."""
        error, critical, weights = _test(self, tuple(counts))
        return _power(abs(size) / error, critical, weights) if error else float(size != 0)

    def least(self, counts: Sequence[int], power: float = POWER) -> float:
        """The smallest difference that so many trainings (at least two) detect with this power."""
        return _least(self, tuple(counts), power)

    def trainings(self, size: float, power: float = POWER) -> int | None:
        """Trainings of each trained method that detect a difference of this size; None if 50 do not."""
        counts = range(2, MOST_TRAININGS + 1)
        place = bisect_left(counts, -size, key=lambda k: -self.least([k] * len(self.trained), power))
        return counts[place] if place < len(counts) else None

    def users(self, size: float, power: float = POWER) -> int | None:
        """Users needed with unlimited trainings, which leave the users' part; None if there are enough."""
        from scipy import stats

        quantiles = float(stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(power))
        needed = int(np.ceil(self.n * self.users_variance * (quantiles / size) ** 2))
        return needed if needed > self.n else None


@cache
def _least(outlook: Outlook, counts: tuple[int, ...], power: float) -> float:
    from scipy import optimize

    error, critical, weights = _test(outlook, counts)
    if not error:
        return 0.0
    most = 1.0
    while _power(most, critical, weights) < power:
        most *= 2
    return error * float(optimize.brentq(lambda size: _power(size, critical, weights) - power, 0, most))


def _test(outlook: Outlook, counts: Sequence[int]) -> tuple[float, Values, Values]:
    """Return the true standard error, the test's critical values in units of it (D,), and their weights."""
    from scipy import special

    spread, noise = np.array(outlook.trained, dtype=float).reshape(-1, 2).T
    count = np.array(counts, dtype=float)
    error = float(np.sqrt(outlook.users_variance + (spread / count).sum()))
    draws = [_chi_squares(outlook.n - 1, NODES_OF_USERS)]
    draws += [_chi_squares(each - 1, NODES_OF_SPREADS) for each in counts]
    users, *spreads = (grid.ravel() for grid in np.meshgrid(*(values for values, _ in draws), indexing="ij"))
    weights = np.prod(np.meshgrid(*(weights for _, weights in draws), indexing="ij"), axis=0).ravel()
    drawn = np.array(spreads).reshape(len(counts), users.size) * spread[:, None]
    squares = MeanSquares((1 / count)[:, None], count[:, None], drawn, noise[:, None])
    parts = parts_of_variance(users * (outlook.users_variance + (noise / count).sum()), outlook.n, squares)
    quantiles = np.asarray(special.stdtrit(parts.freedom, 1 - ALPHA / 2), dtype=np.float64)
    estimated: Values = np.sqrt(parts.users + parts.trainings)
    return error, quantiles * estimated / (error or 1.0), weights


def _chi_squares(freedom: int, nodes: int) -> tuple[Values, Values]:
    """Quantiles of a chi-square over its degrees of freedom, and their weights."""
    from scipy import special

    places, weights = np.polynomial.legendre.leggauss(nodes)
    values: Values = special.chdtri(freedom, (1 - places) / 2) / freedom
    return values, weights / 2


def _power(size: float, critical: Values, weights: Values) -> float:
    """Two-sided power against a true difference of `size` standard errors."""
    from scipy import special

    return float(weights @ (special.ndtr(size - critical) + special.ndtr(-size - critical)))
