"""Compare two methods on the same users: difference, interval, effect sizes and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grasp_bench.stats.crossed import difference
from grasp_bench.stats.paired_tests import (
    cohens_dz,
    paired_t,
    rank_biserial,
    sign_flips,
    superiority,
    wilcoxon,
)
from grasp_bench.stats.pairing import paired_differences
from grasp_bench.stats.trainings import Trainings

WILCOXON_BELOW = 1_000  # its error grows with the users (Ihemelandu and Ekstrand, SIGIR 2023)


@dataclass(frozen=True)
class Comparison:
    """First method minus second; differences in the unit of the metric, all tests two-sided.

    `p`, `low` and `high` decide: they cross users and trainings (stats/crossed.py). If a method was trained
    once, `p` is None and the interval holds for these trainings and other users. `trainings` counts those of
    both sides, 0 for untrained methods. `superiority` is the probability that the first method gives a new
    user a higher value than the second, both newly trained.

    The other figures hold for these trainings and other users: effect sizes, users who `gained` and `lost`
    out of `n`, and tests over users after averaging over trainings. `p_wilcoxon` is None from
    `WILCOXON_BELOW` users on.
    """

    n: int
    gained: int
    lost: int
    difference: float
    low: float
    high: float
    p: float | None
    freedom: float
    trainings: tuple[int, int]
    superiority: float
    cohens_dz: float | None
    rank_biserial: float
    p_t: float
    p_permutation: float
    p_wilcoxon: float | None


def compare(first: Trainings, second: Trainings) -> Comparison:
    """Compare two methods on the same users. Raises IncomparableError for different numbers of them."""
    (comparison,) = compare_all([(first, second)])
    return comparison


def compare_all(pairs: Sequence[tuple[Trainings, Trainings]]) -> list[Comparison]:
    """Compare each pair, with the same random draws for all. Raises as `compare`."""
    over_users = [paired_differences(first.users, second.users) for first, second in pairs]
    return [
        _comparison(first, second, d, p)
        for (first, second), d, p in zip(pairs, over_users, sign_flips(over_users), strict=True)
    ]


def _comparison(first: Trainings, second: Trainings, d: np.ndarray, p_permutation: float) -> Comparison:
    crossed = difference(first, second)
    low, high = crossed.interval()
    return Comparison(
        n=d.size,
        gained=int(np.count_nonzero(d > 0)),
        lost=int(np.count_nonzero(d < 0)),
        difference=crossed.difference,
        low=low,
        high=high,
        p=crossed.p,
        freedom=crossed.freedom,
        trainings=(0 if first.fixed else first.count, 0 if second.fixed else second.count),
        superiority=superiority(first.values_SU, second.values_SU),
        cohens_dz=cohens_dz(d),
        rank_biserial=rank_biserial(d),
        p_t=paired_t(d),
        p_permutation=p_permutation,
        p_wilcoxon=wilcoxon(d) if d.size < WILCOXON_BELOW else None,
    )
