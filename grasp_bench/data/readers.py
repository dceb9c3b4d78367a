"""Tables of a dataset, with the line of every row: the same rows give the same tables in every format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.core.tables.files import names_in_short, place_of, read_file

ROW = "__row__"  # index of a row among all rows of its file


@dataclass(frozen=True)
class Table:
    """A file's rows; `frame` has the file's columns and `ROW`."""

    path: Path
    frame: pl.DataFrame

    def require(self, *columns: str) -> None:
        """Check that columns are there; DataError names the first missing one and the nearest there is."""
        there = [name for name in self.frame.columns if name != ROW]
        for column in columns:
            if column not in there:
                raise DataError(
                    f"{self.path}: no column '{column}'{did_you_mean(column, there)}",
                    mend=f"the file has {names_in_short(there)}: name the right ones under dataset.columns",
                )

    def where(self, row: int) -> str:
        """Name a row as file:line, or as file, row n where the format has no lines."""
        return place_of(self.path, row)


def read_table(path: Path) -> Table:
    """Read a whole file by its suffix; blank lines are passed over.

    Raises MissingFileError when it is absent; DataError when it is empty, damaged or not UTF-8, naming
    the first line that cannot be used.
    """
    frame = read_file(path)
    if ROW in frame.columns:
        raise DataError(f"{path}: the column name '{ROW}' is reserved", mend="rename it")
    content = frame.columns
    frame = frame.with_row_index(ROW)
    frame = frame.filter(~pl.all_horizontal(pl.col(content).is_null()))
    if frame.is_empty():
        raise DataError(f"{path}: no rows", mend="the file needs at least one row below its header")
    return Table(path, frame)
