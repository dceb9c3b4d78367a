"""Read a user's table whatever its format, and name the place of a row.

The format is that of the file's name: text tables (`layout.py` finds how they are laid out), JSON, Parquet;
plain, gzipped, or alone in a zip archive.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables import csv_files, json_lines
from grasp_bench.core.tables.json_documents import read_json
from grasp_bench.core.tables.layout import (
    FOUND,
    ITEM,
    JSON,
    KINDS,
    POSITION,
    TEXT,
    UNIT,
    USER,
    Layout,
    layout_of,
    recoded,
)
from grasp_bench.core.tables.text_files import (
    BOM,
    MOST_COLUMNS,
    Source,
    bare_name,
    contents,
    is_packed,
    reading,
    survey,
)


@dataclass(frozen=True)
class TableFile:
    """A table, and how its file was read: `layout` of a text file, `how` in words."""

    path: Path
    frame: pl.DataFrame
    how: str
    source: Source
    layout: Layout | None = None
    has_lines: bool = True

    def place_of(self, row: int) -> str:
        """Return the place of a row of the file as file:line, or as file, row n where rows have no lines."""
        if not self.has_lines:
            return f"{self.path}, row {row + 1}"
        if self.layout is None:
            return f"{self.path}:{json_lines.line_of(self.path, row)}"
        return f"{self.path}:{csv_files.line_of(self.source, row, self.layout)}"


def read_file(path: Path) -> pl.DataFrame:
    """Read all rows; see `open_table`."""
    return open_table(path).frame


def open_table(path: Path, asked: Layout = FOUND) -> TableFile:
    """Read all rows of a file.

    Raises MissingFileError when it is absent; DataError, with the line where there are lines, for what
    cannot be read exactly.
    """
    with reading(path):
        kind = kind_of_table(path)
        if kind == ".parquet":
            return TableFile(path, _read_parquet(path), "Parquet", path, has_lines=False)
        if kind in JSON:
            frame, how = read_json(path)
            return TableFile(path, frame, how or "JSON Lines", path, has_lines=how is None)
        if kind not in TEXT and asked.separator is None:
            raise DataError(
                f"{path}: cannot tell the format from the name",
                hint=f"use {', '.join(KINDS)}, or set dataset.format.separator",
            )
        return _text_table(path, kind, asked)


def place_of(path: Path, row: int) -> str:
    """Return the place of a row of `read_file`; the file is read again."""
    return open_table(path).place_of(row)


def kind_of_table(path: Path) -> str:
    """Return the suffix that names the format, in lower case and without that of the packing."""
    return Path(bare_name(path)).suffix.lower()


def _text_table(path: Path, kind: str, asked: Layout) -> TableFile:
    layout = layout_of(path, kind, asked)
    source = recoded(path, layout)
    if layout.user_lines:
        return TableFile(path, _user_lines(source, layout), layout.in_words(), source, has_lines=False)
    plain = layout
    if len(layout.separator or "") > 1:
        plain = replace(layout, separator=UNIT, shown=layout.separator or "", quotes=False)
    frame = csv_files.read_csv(source, plain)
    if layout.ids_only:
        frame = frame.with_columns(pl.int_range(pl.len()).alias(POSITION))
    return TableFile(path, frame, layout.in_words(), source, plain)


def _user_lines(source: Source, layout: Layout) -> pl.DataFrame:
    """Read lines of a user and the items of the history: user_id, item_id, position."""
    survey(source).refuse_lone_cr(source)
    separator = layout.separator or " "
    separator = UNIT if len(separator) > 1 else separator
    lines = contents(source).removeprefix(BOM).decode().split("\n")
    text = pl.DataFrame({"line": lines}).select(pl.col("line").str.strip_chars(" \r" + separator))
    cells = text.filter(pl.col("line") != "").select(pl.col("line").str.split(separator).alias("cell"))
    rows = cells.select(
        pl.col("cell").list.first().str.strip_chars().alias(USER), pl.col("cell").list.slice(1).alias(ITEM)
    ).explode(ITEM)
    rows = rows.with_columns(pl.col(ITEM).str.strip_chars()).filter(pl.col(ITEM).is_not_null())
    return rows.filter(pl.col(ITEM) != "").with_columns(pl.int_range(pl.len()).alias(POSITION))


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
