"""Tables from CSV, Parquet and JSONL, plain or gzipped, with the line of every row.

Whatever the format, the same rows give the same tables: CSV cells stay text, so that the id 007 stays
007; a byte order mark and blank lines are passed over.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

from grasp_bench.core.errors import DataError, MissingFileError
from grasp_bench.core.suggest import did_you_mean

BOM = b"\xef\xbb\xbf"
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
                    mend=f"the file has {', '.join(there)}: name the right ones under dataset.columns",
                )

    def where(self, row: int) -> str:
        """Name a row as file:line, or as file, row n where the format has no lines."""
        kind = _kind(self.path)
        if kind not in (".csv", ".jsonl", ".json"):
            return f"{self.path}, row {row + 1}"
        records = _csv_records(self.path) if kind == ".csv" else _json_lines(self.path)
        for index, (line, _) in enumerate(records):
            if index == row + (kind == ".csv"):  # a CSV file's first record is its header
                return f"{self.path}:{line}"
        return str(self.path)


def read_table(path: Path) -> Table:
    """Read a whole file by its suffix.

    Raises MissingFileError when it is absent; DataError when it is empty, damaged or not UTF-8, naming
    the first line that cannot be used.
    """
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".jsonl": _read_jsonl, ".json": _read_jsonl}
    kind = _kind(path)
    if kind not in readers:
        raise DataError(f"{path}: cannot tell the format from the name", mend=f"use {', '.join(readers)}")
    try:
        frame = readers[kind](path)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file", mend="correct the path") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{path}: damaged gzip file", mend="fetch or pack it again") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None
    frame = frame.with_row_index(ROW)
    content = [name for name in frame.columns if name != ROW]
    frame = frame.filter(~pl.all_horizontal(pl.col(content).is_null()))
    if frame.is_empty():
        raise DataError(f"{path}: no rows", mend="the file needs at least one row below its header")
    return Table(path, frame)


def _kind(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix


def _open(path: Path) -> BinaryIO:
    return gzip.open(path) if path.name.endswith(".gz") else path.open("rb")  # type: ignore[return-value]


def _read_csv(path: Path) -> pl.DataFrame:
    with _open(path) as stream:
        head = stream.read(1 << 20)
    if not head.removeprefix(BOM).strip():
        raise DataError(f"{path}: the file is empty", mend="it needs a header line and rows")
    _check_header(path)
    source = io.BytesIO(gzip.decompress(path.read_bytes())) if path.name.endswith(".gz") else path
    try:
        return pl.read_csv(source, infer_schema=False, glob=False)
    except pl.exceptions.PolarsError as error:
        raise _csv_error(path, error) from None


def _check_header(path: Path) -> None:
    try:
        _, header = next(_csv_records(path), (1, None))
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}:1: unreadable header ({error})", mend="save it as UTF-8 CSV") from None
    if header is None:  # the first bytes of a byte order mark, and nothing else
        raise DataError(f"{path}:1: no header", mend="save it as UTF-8 CSV")
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise DataError(f"{path}:1: column '{sorted(twice)[0]}' occurs twice", mend="rename one of them")
    if ROW in header:
        raise DataError(f"{path}:1: the column name '{ROW}' is reserved", mend="rename it")


def _csv_records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Every record, header and blank lines included, with the line it begins on (slow: for errors)."""
    with _open(path) as raw:
        reader = csv.reader(io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""))
        begins = 1
        for record in reader:
            yield begins, record
            begins = reader.line_num + 1


def _csv_error(path: Path, error: Exception) -> DataError:
    """Find the line that made the fast reader give up."""
    line, width = 1, 0
    try:
        for line, record in _csv_records(path):
            width = width or len(record)
            if record and len(record) != width:
                return DataError(
                    f"{path}:{line}: {len(record)} fields where the header has {width}",
                    mend="look for a missing quote or a comma inside an unquoted field",
                )
    except (UnicodeDecodeError, csv.Error) as found:
        what = "not UTF-8" if isinstance(found, UnicodeDecodeError) else str(found)
        return DataError(f"{path}: {what}, at or after line {line}", mend="save the file as UTF-8 CSV")
    return DataError(f"{path}: {str(error).splitlines()[0]}")


def _read_parquet(path: Path) -> pl.DataFrame:
    source = io.BytesIO(gzip.decompress(path.read_bytes())) if path.name.endswith(".gz") else path
    try:
        return pl.read_parquet(source, glob=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path}: not a Parquet file ({str(error).splitlines()[0]})", mend="write it again"
        ) from None


def _read_jsonl(path: Path) -> pl.DataFrame:
    with _open(path) as stream:
        data = stream.read().removeprefix(BOM)
    if not data.strip():
        raise DataError(f"{path}: the file is empty", mend="it needs one JSON object a line")
    try:
        return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _json_error(path, error) from None


def _json_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every line that is not blank, with its number (slow: for errors)."""
    with _open(path) as stream:
        for number, line in enumerate(stream, start=1):
            content = line.removeprefix(BOM) if number == 1 else line
            if content.strip():
                yield number, content


def _json_error(path: Path, error: BaseException) -> DataError:
    import json

    for number, line in _json_lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return DataError(f"{path}:{number}: not JSON", mend="write one JSON object a line")
        if not isinstance(value, dict):
            return DataError(
                f"{path}:{number}: a JSON {type(value).__name__} where an object is wanted",
                mend="write one JSON object a line",
            )
    return DataError(
        f"{path}: {str(error).splitlines()[0]}", mend="give each key values of one kind on all lines"
    )
