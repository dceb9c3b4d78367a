"""A column of attributes as text, whatever kind of value the file has there."""

from __future__ import annotations

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.readers import Table

LIST_JOIN = ", "


def column_text(table: Table, column: str, join: str = LIST_JOIN) -> pl.Series:
    """Text, white space at the ends cut, null where empty; a list of words becomes one text.

    Raises DataError for values that are nested otherwise.
    """
    values = table.frame[column]
    if isinstance(values.dtype, pl.List) and values.dtype.inner in (pl.String, pl.Null):
        values = values.cast(pl.List(pl.String)).list.drop_nulls().list.join(join)
    if values.dtype.is_nested():
        raise DataError(
            f"{table.path}: column '{column}' is nested ({values.dtype})",
            mend="flatten it to text, or leave it out of the file",
        )
    text = values.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)
