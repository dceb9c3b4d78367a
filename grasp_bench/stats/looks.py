"""When a study that adds seeds until it is decided looks at its results, and what each look may spend.

Looking several times at growing data and stopping at the first significant p calls too much different. Each
look is therefore given a share of alpha beforehand (Lan and DeMets, Biometrika 1983; spending in proportion
to the trainings, Kim and DeMets, Biometrika 1987). The shares add up to 1, so that by Bonferroni's inequality
the error over all looks stays below alpha however the looks depend on each other: they share all their users
and the earlier trainings, so that no joint distribution needs to be assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from grasp_bench.core.errors import DataError


def looks_at(least: int, most: int) -> tuple[int, ...]:
    """Trainings a method has at each look: `least`, then half as many again each time, and at last `most`.

    >>> looks_at(3, 12)
    (3, 5, 8, 12)
    """
    if not 1 <= least <= most:
        raise DataError(f"looks go from least to most trainings: not from {least} to {most}")
    looks = [least]
    while looks[-1] < most:
        looks.append(min(most, looks[-1] + (looks[-1] + 1) // 2))
    return tuple(looks)


def shares(looks: Sequence[int]) -> tuple[float, ...]:
    """Share of alpha that each look may spend: its new trainings over all trainings; they add up to 1."""
    return tuple((later - earlier) / looks[-1] for earlier, later in pairwise((0, *looks)))
