"""One method's values for the same users in several trainings, and how much chance is in them.

Users and trainings (seeds) are crossed: every user has a value in every training. A method's variance then
has three parts: users, trainings, and the rest, which is what is left of a single value (two-way analysis of
variance with one value a cell; Searle, Casella and McCulloch, Variance Components, 1992, chapter 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from grasp_bench.stats.pairing import Values, checked_table


@dataclass(frozen=True, eq=False)
class Trainings:
    """Values of shape (S, U): one row a training, one column a user, in the same order of users.

    `fixed` is true of what nothing trains (a control): no other training of it could come out otherwise, so
    that its one row has no part in the variance between trainings.
    """

    values_SU: Values
    fixed: bool = False

    @classmethod
    def of(cls, values_SU: Sequence[ArrayLike], *, fixed: bool = False) -> Trainings:
        """Check and stack S arrays of shape (U,); DataError when empty, of unequal users, or not finite."""
        return cls(checked_table(values_SU), fixed)

    @property
    def count(self) -> int:
        """How many trainings there are."""
        return len(self.values_SU)

    @cached_property
    def users(self) -> Values:
        """Mean over the trainings of each user's value, (U,)."""
        means: Values = self.values_SU.mean(axis=0)
        return means

    @cached_property
    def mean(self) -> float:
        """Mean over users and trainings."""
        return float(self.users.mean())

    @property
    def known(self) -> bool:
        """Whether these values say anything of how other trainings would come out."""
        return self.fixed or self.count > 1

    @cached_property
    def spread(self) -> float:
        """Variance (n - 1) of the trainings' means; 0 of a lone one. It contains `noise`."""
        if self.count < 2:
            return 0.0
        return float(np.asarray(self.values_SU.mean(axis=1)).var(ddof=1))

    @cached_property
    def noise(self) -> float:
        """Variance that the rest alone gives to the mean of one training: its mean square over U."""
        count, users = self.count, self.users.size
        if count < 2 or users < 2:
            return 0.0
        rest: Values = self.values_SU - self.users - self.values_SU.mean(axis=1, keepdims=True) + self.mean
        return float((rest * rest).sum()) / ((count - 1) * (users - 1)) / users

    def less(self, other: Trainings) -> Trainings:
        """What the same trainings, measured otherwise, give each user more than there."""
        return Trainings(self.values_SU - other.values_SU, self.fixed)

    def first(self, count: int) -> Trainings:
        """The first trainings alone; all of what nothing trains."""
        return self if self.fixed or count >= self.count else Trainings(self.values_SU[:count])
