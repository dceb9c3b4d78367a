"""Print numbers the same in every format."""

from __future__ import annotations

import json
import math
from typing import Any

from grasp_bench.core.durations import readable
from grasp_bench.report.document import BLANK
from grasp_bench.report.schema import DifferenceInterval, Stat
from grasp_bench.stats.levels import ALPHA

UNITS = "Metrics in percent, mean ± standard deviation over seeds; differences in points of percent."


def percent(value: float | None) -> str:
    """0.31416 as 31.42."""
    return BLANK if value is None else f"{100 * value:.2f}"


def percent_with_spread(stat: Stat | None) -> str:
    """Mean ± sd over seeds in percent; without ± for one seed."""
    if stat is None:
        return BLANK
    return percent(stat["mean"]) if stat["sd"] is None else f"{percent(stat['mean'])} ± {percent(stat['sd'])}"


def percent_with_interval(mean: float, low: float | None, high: float | None) -> str:
    """A figure and its interval in percent: 34.12 [33.50, 34.74]; without one, the figure alone."""
    if low is None or high is None:
        return percent(mean)
    return f"{percent(mean)} [{percent(low)}, {percent(high)}]"


def points(value: float) -> str:
    """A signed difference in points of percent."""
    return f"{100 * value:+.2f}"


def plain(value: float | None) -> str:
    """Four significant digits."""
    return BLANK if value is None else f"{value:.4g}"


def points_with_interval(test: DifferenceInterval) -> str:
    """A difference and its interval: +1.20 [+0.90, +1.49]."""
    return f"{100 * test['difference']:+.2f} [{100 * test['low']:+.2f}, {100 * test['high']:+.2f}]"


def p_value(p: float | None) -> str:
    """0.0123; small ones as < 0.0001, beyond which no assumption holds."""
    if p is None:
        return BLANK
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def not_told_apart(p: float | None) -> bool:
    """Whether a corrected p leaves open that there is no difference; so does none."""
    return p is None or p >= ALPHA


def probability(value: float) -> str:
    """0.5312 as 0.531."""
    return f"{value:.3f}"


def effect(value: float | None) -> str:
    """Two signed decimals."""
    return BLANK if value is None else f"{value:+.2f}"


def count(value: int | None) -> str:
    """22363 as 22,363."""
    return BLANK if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """Seconds as 12 s, 8 min 32 s, or 2 h 05 min."""
    return BLANK if seconds is None else readable(seconds)


def setting(value: Any) -> str:
    """A value of a spec's key, as it would stand in the spec."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def share(value: float | None) -> str:
    """0.2739 as 27.4 %; shares under a thousandth keep a second digit."""
    if value is None or not math.isfinite(value):
        return BLANK
    return f"{100 * value:.1f} %" if value == 0 or abs(value) >= 0.001 else f"{100 * value:.2g} %"


def of(part: int, whole: int) -> str:
    """A share of counts, blank of nothing."""
    return share(part / whole) if whole else BLANK


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed decimals."""
    if value is None or not math.isfinite(value):
        return BLANK
    return f"{round(value, digits) + 0.0:,.{digits}f}"  # no minus before a zero


def with_interval(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    """3.21 [3.10, 3.33]."""
    if low is None or high is None or not math.isfinite(low):
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"
