"""Test whether a difference of methods holds for other users *and* other trainings: the test that decides.

Users and trainings are both drawn at random, and crossed. For a sum of methods' means with given weights
(+1 and -1 for a difference) the variance is estimated as

    users of the weighted means / U  -  sum of weight² noise / S  +  sum of weight² spread / S

(`Trainings`): the first part and each spread both contain the method's rest, so that it is subtracted once.
Quantiles are Student's t with Satterthwaite's degrees of freedom (Biometrics Bulletin 1946). Trainings are
not paired between methods: one seed gives two methods the same order of users, the same negatives and, if
shapes agree, the same initial weights, but over 15 seeds of two methods neither means nor rests were
correlated (benchmarks/calibration.py).

Two or three trainings give a poor estimate of a spread, which may be near zero by chance. A spread is
therefore at least twice the noise that it contains, and at least a third of the largest spread in the
comparison. Both bounds were chosen by simulation (benchmarks/calibration.py): with three trainings each,
spreads pooled over the two methods call up to 11 % of equal methods different, spreads shrunk towards those
of the board (Smyth 2004) up to 14 %, and these up to 5.6 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from grasp_bench.core.errors import DataError
from grasp_bench.stats.levels import TAILS
from grasp_bench.stats.pairing import Values, same_users
from grasp_bench.stats.trainings import Trainings

LEAST_OF_NOISE = 2.0
LEAST_OF_LARGEST = 1 / 3
DECIMALS = 12

Terms = Sequence[tuple[float, Trainings]]

ABOVE, EQUIVALENT, BELOW = "above", "equivalent", "below"


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of methods' means, in the unit of the metric, and its variance.

    `users_variance` and `trainings_variance` add up to the squared standard error. If a method was trained
    once, the latter is unknown and `decides` is false: the interval then holds for these trainings and other
    users.
    """

    difference: float
    users_variance: float
    trainings_variance: float
    freedom: float
    decides: bool

    @property
    def error(self) -> float:
        """Standard error."""
        return float(np.sqrt(self.users_variance + self.trainings_variance))

    def interval(self) -> tuple[float, float]:
        """Two-sided confidence interval of the difference."""
        if self.error == 0:
            return self.difference, self.difference
        from scipy import stats

        half = float(stats.t.ppf(TAILS[1], self.freedom)) * self.error
        return self.difference - half, self.difference + half

    def above(self, value: float) -> float:
        """One-sided p of "the difference is at most `value`"."""
        return self._tail(self.difference - value)

    def below(self, value: float) -> float:
        """One-sided p of "the difference is at least `value`"."""
        return self._tail(value - self.difference)

    @property
    def p(self) -> float | None:
        """Two-sided p of "there is no difference"; None if it does not decide."""
        if not self.decides:
            return None
        return min(1.0, 2 * min(self.above(0.0), self.below(0.0)))

    def _tail(self, distance: float) -> float:
        if self.error == 0:
            return 0.0 if distance > 0 else 1.0
        from scipy import stats

        return float(stats.t.sf(distance / self.error, self.freedom))


def difference(first: Trainings, second: Trainings) -> Contrast:
    """First method minus second. Raises as `contrast`."""
    return contrast([(1.0, first), (-1.0, second)])


def contrast(terms: Terms) -> Contrast:
    """The weighted sum of methods' means; a method that occurs twice gets the sum of its weights.

    Raises IncomparableError when methods have different numbers of users, DataError for no method.
    """
    weighted = _merged(terms)
    if not weighted:
        raise DataError("nothing to compare: no method is given")
    same_users([method.users for _, method in weighted])
    users: Values = np.round(sum(weight * method.users for weight, method in weighted), DECIMALS)
    n = users.size
    of_users = float(users.var(ddof=1)) / n if n > 1 else 0.0
    trained = [(weight**2 / method.count, method) for weight, method in weighted if not method.fixed]
    decides = n > 1 and all(method.known for _, method in weighted)
    mean = float(users.mean())
    if not decides or not trained:
        return Contrast(mean, of_users, 0.0, max(n - 1, 1), decides)
    parts = parts_of_variance(of_users, n, MeanSquares.of(trained))
    return Contrast(mean, float(parts.users), float(parts.trainings), float(parts.freedom), True)


@dataclass(frozen=True)
class MeanSquares:
    """Of the trainings of M methods: weight² over count, counts, spreads and noises.

    All have shape (M,), or (M, D) for D draws.
    """

    share: Values
    count: Values
    spread: Values
    noise: Values

    @classmethod
    def of(cls, trained: Sequence[tuple[float, Trainings]]) -> MeanSquares:
        """Collect them from methods, each with its weight² over its number of trainings."""
        rows = [(share, method.count, method.spread, method.noise) for share, method in trained]
        return cls(*np.array(rows, dtype=float).reshape(-1, 4).T)

    @property
    def bounded(self) -> Values:
        """Spreads with their lower bounds."""
        bounds = np.maximum(
            LEAST_OF_LARGEST * self.spread.max(axis=0, initial=0), LEAST_OF_NOISE * self.noise
        )
        bounded: Values = np.maximum(self.spread, bounds)
        return bounded


@dataclass(frozen=True)
class Parts:
    """A contrast's variance: the users' part without the rest, the trainings' part, and the freedom; (D,)."""

    users: Values
    trainings: Values
    freedom: Values


def parts_of_variance(of_users: float | Values, n: int, trained: MeanSquares) -> Parts:
    """Combine the parts of the variance; `of_users` is that of the n users' weighted means, over n.

    A bound by noise is far more certain than a spread and counts as known; a bound by the largest spread is
    as uncertain as that spread.
    """
    share, spread, bounded = trained.share, trained.spread, trained.bounded
    borrowed = (bounded > spread) & (bounded > LEAST_OF_NOISE * trained.noise)
    slopes = share * (bounded == spread)
    if len(spread):
        largest = np.arange(len(spread)).reshape(-1, *[1] * (spread.ndim - 1)) == spread.argmax(axis=0)
        slopes = slopes + largest * (share * borrowed).sum(axis=0) * LEAST_OF_LARGEST
    users = np.maximum(0.0, of_users - (share * trained.noise).sum(axis=0))
    trainings = (share * bounded).sum(axis=0)
    squares = ((slopes * spread) ** 2 / (trained.count - 1)).sum(axis=0) + np.square(of_users) / (n - 1)
    some = squares > 0
    freedom = np.where(some, (users + trainings) ** 2 / np.where(some, squares, 1.0), float(n - 1))
    return Parts(users, trainings, np.maximum(freedom, 1.0))


def _merged(terms: Iterable[tuple[float, Trainings]]) -> list[tuple[float, Trainings]]:
    found: dict[int, tuple[float, Trainings]] = {}
    for weight, method in terms:
        before = found.get(id(method), (0.0, method))[0]
        found[id(method)] = (before + weight, method)
    return list(found.values())


@dataclass(frozen=True)
class Region:
    """Where the true difference lies, and the p of that claim before correction."""

    where: str
    p: float


def region(contrast: Contrast, at_least: float = 0.0) -> Region:
    """The most likely of three regions: above `at_least`, between the two bounds, or below minus `at_least`.

    The regions exclude each other, so one p serves all: twice the least of the one-sided ones. If it is below
    alpha, the 1 - alpha interval lies wholly in that region. Between the bounds this is the test of two
    one-sided tests (Schuirmann 1987), each at alpha / 2. With `at_least` 0 the middle region is empty, and p
    is the two-sided one of "no difference".
    """
    found = [Region(ABOVE, contrast.above(at_least)), Region(BELOW, contrast.below(-at_least))]
    if at_least > 0:
        found.append(Region(EQUIVALENT, max(contrast.below(at_least), contrast.above(-at_least))))
    best = min(found, key=lambda each: each.p)
    return Region(best.where, min(1.0, 2 * best.p))
