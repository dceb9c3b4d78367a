"""Read ids and order values (numbers or dates) from the interactions file."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.readers import ROW, Table, column_text, entity_ids, refuse_rows
from grasp_bench.spec.dataset import Columns

AUTO_ORDERS = ("timestamp", "position")
FILE_ORDER = "file"
EXACT = 2**53  # below, a float holds every whole number
DATES = (
    "write numbers, or dates as 2020-04-03 or 2020-04-03T10:00:00, in one way in all rows; for dates written "
    'in another way set dataset.format.time, such as "%d/%m/%Y"'
)
SMALLER = "use a coarser unit or a smaller origin, or write no fractions"

YEAR_LAST = r"^(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})(?:[ T]|$)"
WITH_DOTS = r"^(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T]|$)"  # the day first, wherever dates are written so
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f")


@dataclass(frozen=True)
class Interactions:
    """Interactions as they are in the file.

    `frame` has `ROW`, user and item (text), order (Int64 or Float64), and rating (Float64) if it was asked
    for. `order` names the column that the order values came from, or is 'file'.
    """

    table: Table
    frame: pl.DataFrame
    order: str

    def replace(self, frame: pl.DataFrame) -> Interactions:
        """The same file with other rows."""
        return Interactions(self.table, frame, self.order)


def interactions_of(
    table: Table, columns: Columns, time: str | None = None, rated: bool = False
) -> Interactions:
    """Read ids and order values from a table of interactions; `time` is the format of the order column.

    Raises DataError, with file and line, for missing columns; ids that are null, empty, fractional or padded;
    order values that are null, not finite, neither number nor date, or beyond 64 bits; dates whose day and
    month cannot be told apart, or that are not in the format; and, if `rated`, ratings that are no numbers.
    """
    table.require(columns.user, columns.item)
    order = _order_column(table, columns)
    frame = table.frame.select(
        pl.col(ROW),
        entity_ids(table, columns.user).alias("user"),
        entity_ids(table, columns.item).alias("item"),
        (table.frame[ROW].cast(pl.Int64) if order == FILE_ORDER else _order_values(table, order, time)).alias(
            "order"
        ),
        *([_ratings(table, columns.rating).alias("rating")] if rated else []),
    )
    return Interactions(table, frame, order)


def _order_column(table: Table, columns: Columns) -> str:
    if columns.order == FILE_ORDER:
        return FILE_ORDER
    if columns.order != "auto":
        table.require(columns.order)
        return columns.order
    for name in AUTO_ORDERS:
        if name in table.frame.columns:
            return name
    raise DataError(
        f"{table.path}: nothing says in which order a user's interactions happened "
        f"(no column {' or '.join(AUTO_ORDERS)})",
        hint="set dataset.columns.order to a column, or to 'file' if the rows are in order",
    )


def _ratings(table: Table, column: str) -> pl.Series:
    """Read ratings as numbers, null where there is none."""
    table.require(column)
    text = column_text(table, column)
    ratings = text.cast(pl.Float64, strict=False)
    wrong = text.is_not_null() & ratings.is_null()
    if wrong.any():
        refuse_rows(table, wrong, f"{column} '{text.filter(wrong)[0]}' is not a number")
    return ratings


def _order_values(table: Table, column: str, time: str | None) -> pl.Series:
    values = table.frame[column]
    if values.dtype == pl.String:
        values = values.str.strip_chars()
        values = values.set(values == "", None)
    refuse_rows(table, values.is_null(), f"{column} is empty")
    if time is not None:
        return _times_by_format(table, column, values, time)
    # A column that begins with a number holds no dates, or is refused for holding both.
    if values.dtype == pl.String and values.head(1).cast(pl.Float64, strict=False).null_count():
        ambiguous = ambiguous_dates(values)
        if ambiguous.any():
            example = values.filter(ambiguous)[0]
            what = f"{column} '{example}' may be day/month or month/day, and no other row tells"
            refuse_rows(table, ambiguous, what, DATES)
    parsed = _numbers_or_dates(values)
    if parsed is None:
        raise DataError(f"{table.path}: column '{column}' holds {values.dtype}, which has no order")
    failed = parsed.is_null()
    if failed.any():
        example = values.filter(failed)[0]
        what = "lies beyond 2^63" if values.dtype.is_integer() else "is neither a number nor a date"
        refuse_rows(table, failed, f"{column} '{example}' {what}", DATES)
    if parsed.dtype == pl.Float64:
        refuse_rows(table, ~parsed.is_finite(), f"{column} is not finite")
        _refuse_rounded(table, column, values, parsed)
    return parsed


def _times_by_format(table: Table, column: str, values: pl.Series, time: str) -> pl.Series:
    """Read times in a format of strptime as microseconds since 1970 (UTC)."""
    text = values.cast(pl.String)
    try:
        # A fraction is `%.f` in polars; `.%f` would be a number of nanoseconds.
        parsed = text.str.to_datetime(time.replace(".%f", "%.f"), strict=False, time_unit="us")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"dataset.format.time '{time}' is no format of times ({str(error).splitlines()[0]})",
            hint='write it as strptime does, such as "%Y-%m-%d %H:%M:%S"',
        ) from None
    failed = parsed.is_null()
    if failed.any():
        what = f"{column} '{text.filter(failed)[0]}' is not a time as '{time}' writes it"
        refuse_rows(table, failed, what, "correct the rows, or dataset.format.time")
    return parsed.to_physical().cast(pl.Int64)  # UTC, also where the format has a zone


def _refuse_rounded(table: Table, column: str, values: pl.Series, floats: pl.Series) -> None:
    """Refuse numbers that a 64-bit float rounds, in columns that became floats."""
    if floats.abs().max() < EXACT:  # type: ignore[operator]
        return
    if values.dtype == pl.String:
        digits = values.str.extract_groups(r"^\+?(-?\d+)(?:\.(\d*))?$").struct.unnest()
        whole, fraction = digits["1"].cast(pl.Int128, strict=False), digits["2"].str.strip_chars("0")
        differs = whole.ne_missing(floats.cast(pl.Int128, strict=False)) | (fraction.fill_null("") != "")
        rounded = (floats.abs() >= EXACT) & digits["1"].is_not_null() & differs
    elif values.dtype.is_decimal():
        rounded = floats.cast(values.dtype, strict=False).ne_missing(values)
    else:
        return
    if rounded.any():
        example = values.filter(rounded)[0]
        refuse_rows(table, rounded, f"{column} {example} is not held exactly by a 64-bit number", SMALLER)


def _numbers_or_dates(values: pl.Series) -> pl.Series | None:
    """Convert to Int64 or Float64 of the same order, null where unreadable; None for a type without order."""
    if values.dtype.is_integer():
        return values.cast(pl.Int64, strict=False)
    if values.dtype.is_float() or values.dtype.is_decimal():
        return values.cast(pl.Float64)
    if values.dtype.is_temporal():
        return values.to_physical().cast(pl.Int64)
    if values.dtype != pl.String:
        return None
    # The reading that fails least wins, so that one bad cell is named and not the whole column.
    readings = [values.cast(pl.Int64, strict=False), values.cast(pl.Float64, strict=False)]
    if readings[1].null_count():
        readings.append(read_dates(values))
    return min(readings, key=lambda reading: reading.null_count())


def read_dates(values: pl.Series) -> pl.Series:
    """Read ISO 8601 dates, or dates with the year last, as microseconds since 1970 (Int64, UTC).

    If years come last, day and month take the order that fails least in the column. Null where a text is not
    a date in the format of the others.
    """
    if values.str.contains(YEAR_LAST).any():
        return min(_both_orders(values), key=lambda reading: reading.null_count())
    try:
        return values.str.to_datetime(strict=False, time_unit="us").to_physical().cast(pl.Int64)
    except pl.exceptions.PolarsError:  # no format could be guessed
        return pl.Series(values.name, [None] * len(values), dtype=pl.Int64)


def ambiguous_dates(values: pl.Series) -> pl.Series:
    """Mask of dates such as 03/04/2020, if no row of the column shows whether the day comes first."""
    none = pl.Series(values.name, [False]).new_from_index(0, len(values))
    if not values.str.contains(YEAR_LAST).any():
        return none
    day_first, month_first = _both_orders(values)
    if day_first.null_count() != month_first.null_count():
        return none
    return (day_first != month_first).fill_null(False)


def _both_orders(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Read the column with the day first, and with the month first."""
    day_first = values.str.replace(YEAR_LAST, "$4-$3-$1 ")
    month_first = values.str.replace(WITH_DOTS, "$3-$2-$1 ").str.replace(YEAR_LAST, "$4-$1-$3 ")
    return _read_iso(day_first), _read_iso(month_first)


def _read_iso(values: pl.Series) -> pl.Series:
    text = pl.col(values.name).str.strip_chars()
    readings = [text.str.to_datetime(f"%Y-%m-%d{time}", strict=False, time_unit="us") for time in TIMES]
    return values.to_frame().select(pl.coalesce(readings)).to_series().to_physical().cast(pl.Int64)
