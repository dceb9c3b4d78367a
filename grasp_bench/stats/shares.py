"""Intervals and tests of shares of counted units."""

from __future__ import annotations

from dataclasses import dataclass

from grasp_bench.stats.levels import TAILS


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

    z = float(stats.norm.ppf(TAILS[1]))
    p, width = hits / count, z**2 / count
    middle = (p + width / 2) / (1 + width)
    half = z * (p * (1 - p) / count + width / (4 * count)) ** 0.5 / (1 + width)
    low, high = middle - half if hits else 0.0, middle + half if hits < count else 1.0
    return Share(hits, count, low, high)


def sign_test(first: int, second: int) -> float:
    """Two-sided exact p of units that only the first, or only the second, of two methods hits (McNemar)."""
    from scipy import stats

    if not first + second:
        return 1.0
    return float(stats.binomtest(first, first + second).pvalue)
