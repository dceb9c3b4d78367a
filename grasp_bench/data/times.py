"""Tell times since 1970 from positions, and the unit that they are in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

NO_TIMES = ("position", "file")
SECONDS_FROM = 9  # seconds since 1970 have had ten digits since 2001, milliseconds thirteen, and so on
UNITS = {1.0: "seconds", 1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}


def unit_of(time: float) -> float | None:
    """Return the units per second, from the number of digits: 1, 10³, 10⁶ or 10⁹; None for other numbers."""
    if time <= 0:
        return None
    thousands = round((math.log10(time) - SECONDS_FROM) / 3)
    return 1000.0**thousands if 0 <= thousands <= 3 else None


def unit_of_times(orders: pl.Series) -> float | None:
    """Return the units per second of a column of times, from its median; None if they are no times."""
    middle = orders.median()
    return None if middle is None else unit_of(float(middle))  # type: ignore[arg-type]
