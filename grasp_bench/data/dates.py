"""Dates as text: ISO 8601, or the year last if the column tells whether day or month comes first."""

from __future__ import annotations

import polars as pl

YEAR_LAST = r"^(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})(?:[ T]|$)"
WITH_DOTS = r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]|$)"  # the day first, wherever dates are written so
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f")


def read_dates(values: pl.Series) -> pl.Series:
    """Microseconds since 1970 (Int64, UTC); null where a text is no date of the kind of the others.

    Where years come last, the order of day and month is the one that fails least in the column.
    """
    if values.str.contains(YEAR_LAST).any():
        return min(_both_orders(values), key=lambda reading: reading.null_count())
    try:
        return values.str.to_datetime(strict=False, time_unit="us").to_physical().cast(pl.Int64)
    except pl.exceptions.PolarsError:  # no format could be guessed
        return pl.Series(values.name, [None] * len(values), dtype=pl.Int64)


def ambiguous_dates(values: pl.Series) -> pl.Series:
    """A mask of dates such as 03/04/2020, true where no other row tells which day of the year they are."""
    none = pl.Series(values.name, [False]).new_from_index(0, len(values))
    if not values.str.contains(YEAR_LAST).any():
        return none
    day_first, month_first = _both_orders(values)
    if day_first.null_count() != month_first.null_count():
        return none
    return (day_first != month_first).fill_null(False)


def _both_orders(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The column read with the day first, and with the month first."""
    day_first = values.str.replace(YEAR_LAST, "$4-$3-$1 ")
    month_first = values.str.replace(WITH_DOTS, "$3-$2-$1 ").str.replace(YEAR_LAST, "$4-$1-$3 ")
    return _read_iso(day_first), _read_iso(month_first)


def _read_iso(values: pl.Series) -> pl.Series:
    text = pl.col(values.name).str.strip_chars()
    readings = [text.str.to_datetime(f"%Y-%m-%d{time}", strict=False, time_unit="us") for time in TIMES]
    return values.to_frame().select(pl.coalesce(readings)).to_series().to_physical().cast(pl.Int64)
