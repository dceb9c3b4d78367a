"""Read the tables of a dataset, and take ids and text from their columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables.files import TableFile, open_table
from grasp_bench.core.tables.layout import FOUND, Layout, looks_like_data
from grasp_bench.core.words import did_you_mean, listed

ROW = "__row__"  # index of a row among all rows of its file

LIST_JOIN = ", "
LONGEST_RATING = 4  # digits


@dataclass(frozen=True)
class Table:
    """The rows of a file; `frame` has the file's columns and `ROW`, `file` says how they were read."""

    path: Path
    frame: pl.DataFrame
    file: TableFile | None = None

    def require(self, *columns: str) -> None:
        """Check that columns exist; DataError names the first missing one and the nearest existing name."""
        there = [name for name in self.frame.columns if name != ROW]
        for column in columns:
            if column not in there:
                how = f" (read with {self.file.how})" if self.file and self.file.layout else ""
                if how and looks_like_data(there):
                    names = ", ".join(_guessed(there))
                    raise DataError(
                        f"{self.path}: the first line names no columns: {listed(there)}{how}",
                        hint=f"name them, such as dataset.format.header: [{names}]",
                    )
                raise DataError(
                    f"{self.path}: no column '{column}'{did_you_mean(column, there)}",
                    hint=f"the file has {listed(there)}{how}: name the right ones under dataset.columns, or "
                    "set dataset.format",
                )

    def where(self, row: int) -> str:
        """Name a row as file:line, or as file and row number if the format has no lines."""
        return self.file.place_of(row) if self.file else f"{self.path}, row {row + 1}"


def _guessed(cells: list[str]) -> list[str]:
    """Return likely names for a first row of data: user, item, then rating and timestamp by their size."""
    names = ["user_id", "item_id", *(f"column_{place}" for place in range(3, len(cells) + 1))]
    for place, cell in enumerate(cells[2:], 2):
        digits = cell.partition(".")[0]
        if digits.isdigit():
            names[place] = "timestamp" if len(digits) > LONGEST_RATING else "rating"
    return (
        names
        if len(set(names)) == len(names)
        else names[:2] + [f"column_{n}" for n in range(3, len(cells) + 1)]
    )


def read_table(path: Path, asked: Layout = FOUND) -> Table:
    """Read a whole file, skipping blank lines.

    Raises MissingFileError when it is absent; DataError when it is empty, damaged or not UTF-8, naming the
    first line that cannot be used.
    """
    file = open_table(path, asked)
    frame = file.frame
    if ROW in frame.columns:
        raise DataError(f"{path}: the column name '{ROW}' is reserved", hint="rename it")
    content = frame.columns
    frame = frame.with_row_index(ROW)
    frame = frame.filter(~pl.all_horizontal(pl.col(content).is_null()))
    if frame.is_empty():
        raise DataError(f"{path}: no rows", hint="the file needs at least one row below its header")
    return Table(path, frame, file)


def column_text(table: Table, column: str, join: str = LIST_JOIN) -> pl.Series:
    """Read a column as stripped text, null where empty; a list of words becomes one text.

    Raises DataError for other nested values.
    """
    values = table.frame[column]
    if is_text_list(values.dtype):
        values = values.cast(pl.List(pl.String)).list.drop_nulls().list.join(join)
    if values.dtype.is_nested():
        raise DataError(
            f"{table.path}: column '{column}' is nested ({values.dtype})",
            hint="flatten it to text, or leave it out of the file",
        )
    text = values.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def is_text_list(kind: pl.DataType) -> bool:
    """Return whether values are lists of words."""
    return isinstance(kind, pl.List) and kind.inner in (pl.String, pl.Null)


def entity_ids(table: Table, column: str) -> pl.Series:
    """Read a column of ids as text. Raises DataError for ids that are null, empty, padded or not ids."""
    values = table.frame[column]
    text = isinstance(values.dtype, pl.String | pl.Categorical | pl.Enum | pl.Null)
    if not (text or values.dtype.is_integer()):
        raise DataError(
            f"{table.path}: column '{column}' holds {values.dtype}, not ids",
            hint="ids are text or whole numbers: convert the column, or name another in dataset.columns",
        )
    ids = values.cast(pl.String)
    refuse_rows(table, ids.is_null() | (ids.str.strip_chars() == ""), f"{column} is empty")
    refuse_rows(table, ids != ids.str.strip_chars(), f"{column} begins or ends with white space")
    return ids


def refuse_rows(table: Table, bad: pl.Series, what: str, hint: str = "") -> None:
    count = int(bad.fill_null(True).sum())
    if count:
        first = int(table.frame[ROW].filter(bad.fill_null(True))[0])
        raise DataError(
            f"{table.where(first)}: {what} ({count} such row{'s' if count > 1 else ''})",
            hint=hint or "correct or remove these rows: what they belong to cannot be guessed",
        )
