"""Intervals and tests of shares, against figures of others."""

from __future__ import annotations

import pytest

from grasp_bench.stats.shares import sign_test, wilson


@pytest.mark.parametrize(
    # Newcombe, Statistics in Medicine 1998, table I, method 3.
    ("hits", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson(hits: int, count: int, low: float, high: float) -> None:
    found = wilson(hits, count)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert found.rate == hits / count


@pytest.mark.parametrize(
    ("first", "second", "p"), [(5, 0, 2 / 2**5), (1, 3, 10 / 2**4), (4, 4, 1), (0, 0, 1)]
)
def test_sign_test_counts_coins(first: int, second: int, p: float) -> None:
    assert sign_test(first, second) == pytest.approx(p)
