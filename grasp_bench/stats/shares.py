"""Intervals and tests of shares of counted units."""

from __future__ import annotations

from dataclasses import dataclass

from grasp_bench.stats.levels import LEVEL


@dataclass(frozen=True)
class Share:
    """`hits` of `count` units, and the 95 % interval of their share."""

    hits: int
    count: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share itself."""
        return self.hits / self.count


def wilson(hits: int, count: int) -> Share:
    """Share of `count` > 0 units with Wilson's score interval, which holds near 0 and 1 (JASA 1927).

    Example:
        >>> wilson(0, 100).high  # doctest: +ELLIPSIS
        0.0369...
    """
    from scipy import stats

    found = stats.binomtest(hits, count).proportion_ci(LEVEL, method="wilson")
    return Share(hits, count, float(found.low), float(found.high))


def sign_test(first: int, second: int) -> float:
    """Two-sided exact p of units that only the first, or only the second, of two methods hits (McNemar)."""
    from scipy import stats

    if not first + second:
        return 1.0
    return float(stats.binomtest(first, first + second).pvalue)
