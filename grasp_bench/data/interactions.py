"""Interactions as they are in the file: checked ids, one comparable value to order by."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.dates import ambiguous_dates, read_dates
from grasp_bench.data.readers import ROW, Table
from grasp_bench.spec.dataset import Columns

AUTO_ORDERS = ("timestamp", "position")
FILE_ORDER = "file"
EXACT = 2**53  # below, a float holds every whole number
DATES = "write numbers, or dates as 2020-04-03 or 2020-04-03T10:00:00, in one way in all rows"
SMALLER = "use a coarser unit or a smaller origin, or write no fractions"


@dataclass(frozen=True)
class Interactions:
    """`frame` has `ROW`, user and item (text) and order (Int64 or Float64), rows as in the file.

    `order` names the column that `order` came from, or is 'file'.
    """

    table: Table
    frame: pl.DataFrame
    order: str

    def where(self, row: int) -> str:
        """Name a row of the file."""
        return self.table.where(row)

    def replace(self, frame: pl.DataFrame) -> Interactions:
        """The same file with other rows."""
        return Interactions(self.table, frame, self.order)


def interactions_of(table: Table, columns: Columns) -> Interactions:
    """Take ids and order from a table of interactions.

    Raises DataError, with file and line, for missing columns, ids that are null, empty, fractional or
    padded with blanks, and order values that are null, not finite, neither number nor date, dates of
    which nothing tells whether the day or the month comes first, or numbers beyond 64 bits.
    """
    table.require(columns.user, columns.item)
    order = _order_column(table, columns)
    frame = table.frame.select(
        pl.col(ROW),
        entity_ids(table, columns.user).alias("user"),
        entity_ids(table, columns.item).alias("item"),
        (table.frame[ROW].cast(pl.Int64) if order == FILE_ORDER else _order_values(table, order)).alias(
            "order"
        ),
    )
    return Interactions(table, frame, order)


def entity_ids(table: Table, column: str) -> pl.Series:
    """A column of ids as text; integers are written plainly."""
    values = table.frame[column]
    if not (values.dtype == pl.String or values.dtype.is_integer() or values.dtype == pl.Null):
        try:
            values = _categories_as_text(values)
        except TypeError:
            raise DataError(
                f"{table.path}: column '{column}' holds {values.dtype}, not ids",
                mend="ids are text or whole numbers: convert the column, or name another in dataset.columns",
            ) from None
    ids = values.cast(pl.String)
    _refuse(table, ids.is_null() | (ids.str.strip_chars() == ""), f"{column} is empty")
    _refuse(table, ids != ids.str.strip_chars(), f"{column} begins or ends with white space")
    return ids


def _categories_as_text(values: pl.Series) -> pl.Series:
    if isinstance(values.dtype, pl.Categorical | pl.Enum):
        return values.cast(pl.String)
    raise TypeError(values.dtype)


def _refuse(table: Table, bad: pl.Series, what: str, mend: str = "") -> None:
    count = int(bad.fill_null(True).sum())
    if count:
        first = int(table.frame[ROW].filter(bad.fill_null(True))[0])
        raise DataError(
            f"{table.where(first)}: {what} ({count} such row{'s' if count > 1 else ''})",
            mend=mend or "correct or remove these rows: what they belong to cannot be guessed",
        )


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
        mend="set dataset.columns.order to a column, or to 'file' if the rows are in order",
    )


def _order_values(table: Table, column: str) -> pl.Series:
    values = table.frame[column]
    if values.dtype == pl.String:
        values = values.str.strip_chars()
        values = values.set(values == "", None)
    _refuse(table, values.is_null(), f"{column} is empty")
    # A column that begins with a number holds no dates, or is refused for holding both.
    if values.dtype == pl.String and values.head(1).cast(pl.Float64, strict=False).null_count():
        ambiguous = ambiguous_dates(values)
        if ambiguous.any():
            example = values.filter(ambiguous)[0]
            what = f"{column} '{example}' may be day/month or month/day, and no other row tells"
            _refuse(table, ambiguous, what, DATES)
    parsed = _numbers_or_dates(values)
    if parsed is None:
        raise DataError(f"{table.path}: column '{column}' holds {values.dtype}, which has no order")
    failed = parsed.is_null()
    if failed.any():
        example = values.filter(failed)[0]
        what = "lies beyond 2^63" if values.dtype.is_integer() else "is neither a number nor a date"
        _refuse(table, failed, f"{column} '{example}' {what}", DATES)
    if parsed.dtype == pl.Float64:
        _refuse(table, ~parsed.is_finite(), f"{column} is not finite")
        _refuse_rounded(table, column, values, parsed)
    return parsed


def _refuse_rounded(table: Table, column: str, values: pl.Series, floats: pl.Series) -> None:
    """Numbers that a float may round to one another, where fractions or size make the column floats."""
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
        _refuse(table, rounded, f"{column} {example} is not held exactly by a 64-bit number", SMALLER)


def _numbers_or_dates(values: pl.Series) -> pl.Series | None:
    """Int64 or Float64 of the same order; null where a value cannot be read; None: no order at all."""
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
