"""Read CSV files and tables with other separators as text columns, each record with its line.

The rules are those of RFC 4180. Files without quotes are read by polars, others by the strict reader here.
Both agree, since a table without quotes is only separators and line feeds. Cells stay text, so that the id
007 stays 007; an empty cell is null.

A quote inside a field that does not begin with one is an ordinary character (`12" ruler`), as it is in
spreadsheets and Python's csv. A quoted field ends with its closing quote and must be followed by a comma or
the line's end: otherwise a forgotten quote would swallow rows.

A `layout` here has a separator of one character (`layout.recoded`).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables.layout import COMMAS, Layout, untyped
from grasp_bench.core.tables.text_files import (
    LONGEST,
    MOST_COLUMNS,
    Source,
    Survey,
    chunks,
    contents,
    is_zip,
    lone_cr,
    most_streamed,
    opened,
    survey,
)

LINE = "__line__"  # the line on which a row begins
BATCH = 50_000  # rows held as Python objects at a time
_QUOTED = re.compile(r'"(?:[^"]++|"")*+"')


def header_of(path: Source, layout: Layout = COMMAS) -> tuple[list[str], int]:
    """Return the column names and their line, the first that is not blank; line 0 if the layout names them.

    Raises DataError for a header that is absent, not CSV, too wide, or has one name twice.
    """
    if layout.header is not None:
        return list(layout.header), 0
    for line, names in records(path, layout):
        if not names:
            continue
        if layout.typed:
            names = untyped(path, names)
        if len(names) > MOST_COLUMNS:
            raise DataError(
                f"{path}:{line}: {len(names):,} columns, more than {MOST_COLUMNS:,} are not read",
                hint="leave out the columns that are not needed, or write a list into one of them",
            )
        seen = {LINE}
        for name in names:
            if name in seen:
                what = "is reserved" if name == LINE else "occurs twice"
                raise DataError(f"{path}:{line}: column '{name}' {what}", hint="rename it")
            seen.add(name)
        return names, line
    raise DataError(f"{path}: the file is empty", hint="it needs a header line and rows")


def records(path: Source, layout: Layout = COMMAS) -> Iterator[tuple[int, list[str]]]:
    """Yield every record with its first line, header and blank lines (no fields) included.

    Raises DataError with the line on which the fault begins. Slow: for headers, and to locate.
    """
    begins = 1
    with opened(path) as raw:
        reader = _reader(raw, layout)
        while True:
            try:
                record = next(reader, None)
            except csv.Error as error:
                raise _fault(path, layout, begins, reader.line_num, error) from None
            if record is None:
                return
            yield begins, record
            begins = reader.line_num + 1


def batches(path: Source, names: list[str], line: int, layout: Layout = COMMAS) -> Iterator[pl.DataFrame]:
    """Yield the rows below the header (given by names and line) as text columns and `LINE`; empty is null.

    A blank line is a row of nulls. Raises DataError, with the line, for what is not CSV and for rows that
    are longer or shorter than the header.
    """
    with opened(path) as raw:
        reader = _reader(raw, layout)
        while reader.line_num < line:
            next(reader)
        line = reader.line_num + 1
        while True:
            try:
                rows = list(islice(reader, BATCH))
            except csv.Error:
                raise fault_of(path, len(names), layout) from None
            if not rows:
                return
            widths = set(map(len, rows))
            if 0 in widths:
                rows = [row or [""] * len(names) for row in rows]
            if widths - {0, len(names)}:
                raise fault_of(path, len(names), layout)
            yield _frame(names, rows, line, reader.line_num)
            line = reader.line_num + 1


def fault_of(path: Source, width: int, layout: Layout = COMMAS) -> DataError:
    """Return the error of the first unusable line; the file is read again."""
    try:
        for line, record in records(path, layout):
            if record and len(record) != width:
                above = "the header has" if layout.header is None else "dataset.format.header names"
                return DataError(
                    f"{path}:{line}: {len(record)} fields where {above} {width} ({layout.in_words()})",
                    hint="look for a missing quote, a separator in an unquoted field, or a line cut short",
                )
    except DataError as fault:
        return fault
    return DataError(f"{path}: changed while it was read", hint="try again")


def line_of(path: Source, row: int, layout: Layout = COMMAS) -> int:
    """Return the first line of a row; rows count from 0 below the header, blank lines included."""
    _, header = header_of(path, layout)
    below = (line for line, _ in records(path, layout) if line > header)
    return next(islice(below, row, None), header)


def _reader(raw: BinaryIO, layout: Layout) -> Any:
    csv.field_size_limit(LONGEST)
    # Only a line feed ends a line; a lone carriage return is refused.
    return csv.reader(
        io.TextIOWrapper(raw, encoding="utf-8-sig", newline="\n"), strict=True,
        delimiter=layout.separator or ",", quoting=csv.QUOTE_MINIMAL if layout.quotes else csv.QUOTE_NONE,
    )  # fmt: skip


def _frame(names: list[str], rows: list[list[str]], first: int, last: int) -> pl.DataFrame:
    """Return `rows`, which are on the lines from `first` to `last`, as a frame."""
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    frame = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
    if last - first + 1 == len(rows):
        lines = pl.int_range(first, last + 1)
    else:
        breaks = pl.sum_horizontal(pl.all().str.count_matches("\n", literal=True)).cast(pl.Int64)
        lines = (breaks + 1).cum_sum() - breaks + (first - 1)
    return frame.select(pl.all().replace("", None), lines.alias(LINE))


def _fault(path: Source, layout: Layout, begins: int, ends: int, error: csv.Error) -> DataError:
    """Return the error of a record on the lines from `begins` to `ends`, with the place of the fault."""
    with opened(path) as raw:
        lines = islice(io.TextIOWrapper(raw, encoding="utf-8-sig", newline="\n"), begins - 1, ends)
        text = "".join(lines)
    separator = layout.separator or ","
    unquoted = re.compile(rf"[^{re.escape(separator)}\r\n]*+")
    place = 0
    while place < len(text):
        line = begins + text.count("\n", 0, place)
        if text[place] != '"' or not layout.quotes:
            place = unquoted.match(text, place).end()  # type: ignore[union-attr]  # it also matches the empty string
            if text.startswith("\r", place) and not text.startswith("\r\n", place):
                return lone_cr(path, line)
        else:
            field = _QUOTED.match(text, place)
            if field is None:
                return _open_quote(
                    f"{path}:{line}: a quote opens a field here and is not closed by line {ends}"
                )
            place = field.end()
            if place < len(text) and not text.startswith((separator, "\n", "\r\n"), place):
                closes = begins + text.count("\n", 0, place)
                where = "" if closes == line else f" on line {closes}"
                return _open_quote(
                    f"{path}:{line}: a quote opens a field here, and behind its closing quote{where} stands "
                    f"'{text[place]}', not {_named(separator)}"
                )
        place += 1
    return DataError(f"{path}:{begins}: not CSV ({error})", hint="save it as UTF-8 CSV")


def _named(separator: str) -> str:
    return "a comma" if separator == "," else f"the separator {separator!r}"


def _open_quote(message: str) -> DataError:
    return DataError(
        message, hint='close the quote, and write a quote inside a quoted field twice: "12"" ruler"'
    )


def read_csv(path: Source, layout: Layout = COMMAS) -> pl.DataFrame:
    """Read all rows below the header, a blank line as a row of nulls.

    Raises DataError, with the line, for what is not UTF-8 or not CSV, rows longer or shorter than the
    header, lone carriage returns, and more columns, longer fields or larger packed files than are read.
    """
    found = survey(path)
    names, line = _header(path, found, layout)
    if found.quotes and layout.quotes:
        frames = [pl.DataFrame(schema=dict.fromkeys(names, pl.String))]
        return pl.concat([*frames, *(frame.drop(LINE) for frame in batches(path, names, line, layout))])
    found.refuse_lone_cr(path)
    try:
        frame = pl.read_csv(
            path if isinstance(path, Path) and not is_zip(path) else contents(path), infer_schema=False,
            glob=False, quote_char=None, separator=layout.separator or ",", has_header=layout.header is None,
        )  # fmt: skip
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    except pl.exceptions.PolarsError:
        raise fault_of(path, len(names), layout) from None
    if frame.width != len(names):
        raise fault_of(path, len(names), layout)
    frame.columns = names
    if _may_have_short_rows(path, frame, layout):
        for _ in batches(path, names, line, layout):  # raises for the first one
            pass
    return frame


def scan_csv(path: Path) -> pl.LazyFrame:
    """Stream rows with `LINE` from a file that may be larger than memory.

    Raises as `read_csv` does; for faults in rows, `collect` raises an error of polars, which `csv_fault`
    explains.
    """
    found = survey(path, most_streamed(path))
    names, line = _header(path, found)
    if found.quotes:
        return _scan_batches(path, names, line)
    found.refuse_lone_cr(path)
    return pl.scan_csv(
        path,
        infer_schema=False,
        glob=False,
        quote_char=None,
        row_index_name=LINE,
        row_index_offset=line + 1,
    )


def csv_fault(path: Path) -> DataError:
    """Return the error of the first unusable line after polars has failed."""
    return fault_of(path, len(header_of(path)[0]))


def _header(path: Source, found: Survey, layout: Layout = COMMAS) -> tuple[list[str], int]:
    if found.blank:
        raise DataError(f"{path}: the file is empty", hint="it needs a header line and rows")
    return header_of(path, layout)


def _may_have_short_rows(path: Source, frame: pl.DataFrame, layout: Layout) -> bool:
    """Return False only if no row lacks its last cell, or all separators are there.

    Rows of nulls are blank lines or only separators, which the count cannot tell apart.
    """
    last = frame[:, -1].is_null()
    if not last.any():
        return False
    nothing = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if not (last & ~nothing).any():
        return False
    separator = (layout.separator or ",").encode()
    count = sum(chunk.count(separator) for chunk in chunks(path))
    lines = frame.height + (layout.header is None)
    return bool(nothing.any()) or count != (frame.width - 1) * lines


def _scan_batches(path: Path, names: list[str], line: int) -> pl.LazyFrame:
    from polars.io.plugins import register_io_source

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        for frame in batches(path, names, line):
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            frame = frame if with_columns is None else frame.select(with_columns)
            yield frame if predicate is None else frame.filter(predicate)
            if left == 0:
                return

    schema = {**dict.fromkeys(names, pl.String), LINE: pl.Int64}
    return register_io_source(source, schema=schema)
