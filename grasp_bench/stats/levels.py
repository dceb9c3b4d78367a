"""Levels of all tests and intervals, and the record of a test; a cached board reads it without numpy."""

from __future__ import annotations

from typing_extensions import TypedDict

ALPHA = 0.05
LEVEL = 1 - ALPHA
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)  # the quantiles of a two-sided interval


class PairTest(TypedDict):
    """First method minus second, as in board.json: the unit is that of the metric, all tests are two-sided.

    `p`, `low` and `high` decide: they cross users and trainings (stats/crossed.py). If a method was trained
    once, `p` is None and the interval holds for these trainings and other users. `trainings` counts those of
    both sides, 0 for untrained methods. `superiority` is the probability that the first method gives a new
    user a higher value than the second, both newly trained. What is corrected (Holm, Benjamini–Hochberg) is
    `p`.

    The other figures hold for these trainings and other users: effect sizes, users who `gained` and `lost`
    out of `n`, and tests over users after averaging over trainings. `p_wilcoxon` is None from
    `comparison.WILCOXON_BELOW` users on.
    """

    n: int
    gained: int
    lost: int
    difference: float
    low: float
    high: float
    p: float | None
    freedom: float
    trainings: list[int]
    superiority: float
    cohens_dz: float | None
    rank_biserial: float
    p_t: float
    p_permutation: float
    p_wilcoxon: float | None
