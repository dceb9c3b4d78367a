"""Read a user's table by the suffix of its file, and name the place of a row."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables import csv_files, json_lines
from grasp_bench.core.tables.csv_files import read_csv
from grasp_bench.core.tables.json_lines import read_json_lines
from grasp_bench.core.tables.text_files import MOST_COLUMNS, contents, is_packed, reading


def read_file(path: Path) -> pl.DataFrame:
    """Read all rows of a CSV, JSON Lines or Parquet file, gzipped or not.

    Raises MissingFileError when it is absent; DataError, with the line where there are lines, for what
    cannot be read exactly.
    """
    kind = _kind(path)
    if kind not in READERS:
        raise DataError(f"{path}: cannot tell the format from the name", hint=f"use {', '.join(READERS)}")
    with reading(path):
        return READERS[kind](path)


def place_of(path: Path, row: int) -> str:
    """Return the place of a row of `read_file` as file:line, or as file, row n for Parquet."""
    kind = _kind(path)
    if kind not in READERS or kind == ".parquet":
        return f"{path}, row {row + 1}"
    return f"{path}:{(csv_files if kind == '.csv' else json_lines).line_of(path, row)}"


def _kind(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix


def _read_parquet(path: Path) -> pl.DataFrame:
    source = io.BytesIO(contents(path)) if is_packed(path) else path
    try:
        width = len(pl.read_parquet_schema(source))
        if width > MOST_COLUMNS:
            raise DataError(
                f"{path}: {width:,} columns, more than {MOST_COLUMNS:,} are not read",
                hint="leave out the columns that are not needed, or write a list into one of them",
            )
        return pl.read_parquet(source, glob=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        said = str(error).splitlines() or [type(error).__name__]
        raise DataError(f"{path}: not a Parquet file ({said[0]})", hint="write it again") from None


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": read_csv,
    ".parquet": _read_parquet,
    ".jsonl": read_json_lines,
    ".json": read_json_lines,
    ".ndjson": read_json_lines,
}
