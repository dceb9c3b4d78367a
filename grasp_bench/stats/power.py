"""How many trainings it takes to tell a difference of two methods, by the test of stats/crossed.py.

Today's components of variance are taken for the true ones, spreads bounded as the test bounds them. With k
trainings of each method the difference varies by the users' part, which no training makes smaller, plus the
spreads over k. What the test will estimate of that is chance too: mean squares are multiples of chi-squares,
independent of the means, and power is the mean over them of the normal chance to pass the test's critical
value. A noncentral t with Satterthwaite's expected degrees of freedom would be simpler, and promises 80 % at
three trainings where the test may have 60 %: it takes for certain which spread is large.
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
NODES_OF_USERS, NODES_OF_SPREADS = 12, 32  # of Gauss and Legendre's rule, over quantiles


@dataclass(frozen=True)
class Outlook:
    """What chance there would be in a difference of two methods with other numbers of trainings.

    `users_variance` is the part of the `n` users, the rest taken out; `trained` has the spread and the noise
    of each method that is trained: a control has no part in it.
    """

    n: int
    users_variance: float
    trained: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, first: Trainings, second: Trainings) -> Outlook | None:
        """By what is there today; None where that decides nothing, as of a method that was trained once."""
        today = difference(first, second)
        if not today.decides:
            return None
        squares = MeanSquares.of([(1 / each.count, each) for each in (first, second) if not each.fixed])
        trained = zip(squares.bounded.tolist(), squares.noise.tolist(), strict=True)
        return cls(first.users.size, today.users_variance, tuple(trained))

    def power(self, size: float, counts: Sequence[int]) -> float:
        """The chance to tell a true difference of this size with so many trainings of each trained method."""
        error, critical, weights = _test(self, tuple(counts))
        return _power(abs(size) / error, critical, weights) if error else float(size != 0)

    def least(self, counts: Sequence[int], power: float = POWER) -> float:
        """The smallest difference that so many trainings, two at least, tell with this power."""
        return _least(self, tuple(counts), power)

    def trainings(self, size: float, power: float = POWER) -> int | None:
        """Trainings of each trained method that tell a difference of this size; None if 50 do not."""
        counts = range(2, MOST_TRAININGS + 1)
        place = bisect_left(counts, -size, key=lambda k: -self.least([k] * len(self.trained), power))
        return counts[place] if place < len(counts) else None

    def users(self, size: float, power: float = POWER) -> int | None:
        """Above how many users no training is of use any more; None where there are so many today.

        The users' part falls with their number, and is all that is left of ever more trainings.
        """
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
    """The true standard error, the test's critical values in units of it, (D,), and their weights."""
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
    """Quantiles of a chi-square over its degrees of freedom, and the weight of each."""
    from scipy import special

    places, weights = np.polynomial.legendre.leggauss(nodes)
    values: Values = special.chdtri(freedom, (1 - places) / 2) / freedom
    return values, weights / 2


def _power(size: float, critical: Values, weights: Values) -> float:
    """Power against a true difference of `size` standard errors, either side counted."""
    from scipy import special

    return float(weights @ (special.ndtr(size - critical) + special.ndtr(-size - critical)))
