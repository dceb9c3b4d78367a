"""Bootstrap intervals of ratios against resampling by a loop."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_bench.stats.bootstrap import ratio_interval, ratio_of_means


def test_ratio_and_its_interval_hold_the_truth() -> None:
    """Over 200 samples a 95 % interval covers the true ratio about as often as it says."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        bottom = rng.gamma(2.0, size=60)
        top = 3 * bottom + rng.normal(size=60)
        interval = ratio_interval(top, bottom, resamples=199)
        assert interval is not None
        covered += interval.low <= 3 <= interval.high
    assert covered / 200 == pytest.approx(0.95, abs=0.05)


def test_proportional_values_leave_no_doubt() -> None:
    values = np.array([1.0, 2.0, 5.0])
    assert ratio_of_means(2 * values, values) == pytest.approx(2.0)
    interval = ratio_interval(2 * values, values)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((2.0, 2.0))


def test_zero_below_is_no_ratio() -> None:
    assert ratio_of_means([1.0, 2.0], [0.0, 0.0]) is None
    assert ratio_interval([1.0, 2.0], [0.0, 0.0]) is None
    assert ratio_interval([1.0, 1.0, 1.0], [0.0, 0.0, 9.0]) is None  # some resamples hold no nine
