"""One method's values for the same users in several trainings, and their components of variance.

Users and trainings (seeds) are crossed: every user has a value in every training. The variance has three
components: users, trainings, and the rest of a single value (two-way analysis of variance with one value per
cell; Searle, Casella and McCulloch, Variance Components, 1992, chapter 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from grasp_bench.stats.levels import TAILS
from grasp_bench.stats.pairing import Values, checked_table


@dataclass(frozen=True, eq=False)
class Trainings:
    """Values of shape (S, U): a row per training, a column per user, all in the same order of users.

    `fixed` is true for untrained methods (controls), whose single row adds no variance between trainings.
    """

    values_SU: Values
    fixed: bool = False

    @classmethod
    def of(cls, values_SU: Sequence[ArrayLike], *, fixed: bool = False) -> Trainings:
        """Check and stack S arrays of shape (U,); DataError when empty, of unequal users, or not finite."""
        return cls(checked_table(values_SU), fixed)

    @property
    def count(self) -> int:
        """Number of trainings."""
        return len(self.values_SU)

    @cached_property
    def users(self) -> Values:
        """Each user's mean over the trainings, (U,)."""
        means: Values = self.values_SU.mean(axis=0)
        return means

    @cached_property
    def mean(self) -> float:
        """Mean over users and trainings."""
        return float(self.users.mean())

    @property
    def known(self) -> bool:
        """True when the values allow inference about other trainings."""
        return self.fixed or self.count > 1

    @cached_property
    def spread(self) -> float:
        """Variance (n - 1) of the trainings' means, which contains `noise`; 0 for one training."""
        if self.count < 2:
            return 0.0
        return float(np.asarray(self.values_SU.mean(axis=1)).var(ddof=1))

    @cached_property
    def noise(self) -> float:
        """Variance that the rest gives to the mean of one training: its mean square over U."""
        count, users = self.count, self.users.size
        if count < 2 or users < 2:
            return 0.0
        rest: Values = self.values_SU - self.users - self.values_SU.mean(axis=1, keepdims=True) + self.mean
        return float((rest * rest).sum()) / ((count - 1) * (users - 1)) / users

    def less(self, other: Trainings) -> Trainings:
        """Subtract the values of the same trainings under another measure."""
        return Trainings(self.values_SU - other.values_SU, self.fixed)

    def among(self, members_U: NDArray[np.bool_]) -> Trainings:
        """Keep the users for whom `members_U` (U,) is true."""
        return Trainings(self.values_SU[:, members_U], self.fixed)

    def first(self, count: int) -> Trainings:
        """Keep the first `count` trainings; an untrained method stays as it is."""
        return self if self.fixed or count >= self.count else Trainings(self.values_SU[:count])


@dataclass(frozen=True)
class Components:
    """Components of variance as standard deviations in the unit of the metric.

    `user` is between users, `users` its part in the mean over users; `trainings` is between trainings, with
    its interval `low`, `high`; `rest` is the part of the rest in the mean of one training.
    """

    user: float
    users: float
    trainings: float
    low: float
    high: float
    rest: float


def components(method: Trainings) -> Components | None:
    """The components of a method with at least two trainings and two users; None otherwise."""
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


def factors(trainings: int) -> tuple[float, float]:
    """The interval of a standard deviation from so many trainings, relative to its estimate.

    By chi-square with (trainings - 1) degrees of freedom, for normal values.
    """
    from scipy import stats

    freedom = trainings - 1
    ends = (stats.chi2.ppf(tail, freedom) for tail in reversed(TAILS))
    low, high = (float(np.sqrt(freedom / end)) for end in ends)
    return low, high


def _root(variance: float) -> float:
    return float(np.sqrt(max(0.0, variance)))
