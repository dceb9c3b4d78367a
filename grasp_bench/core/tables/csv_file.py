"""CSV files as frames of text: those without a quote by polars, others by the strict reader.

Both read the same: where no quote occurs, commas and line feeds are all there is to CSV. Cells stay text,
so that the id 007 stays 007, and an empty cell is null.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables.csv_records import LINE, batches, fault_of, header_of
from grasp_bench.core.tables.survey import Survey, survey
from grasp_bench.core.tables.unpacking import chunks, most_streamed


def read_csv(path: Path) -> pl.DataFrame:
    """All rows below the header, a blank line as a row of nulls.

    Raises DataError, with the line, for what is not UTF-8 or not CSV, rows longer or shorter than the
    header, lone carriage returns, and more columns, longer fields or larger packed files than are read.
    """
    found = survey(path)
    names, line = _header(path, found)
    if found.quotes:
        frames = [pl.DataFrame(schema=dict.fromkeys(names, pl.String))]
        return pl.concat([*frames, *(frame.drop(LINE) for frame in batches(path, names, line))])
    found.refuse_lone_cr(path)
    try:
        frame = pl.read_csv(path, infer_schema=False, glob=False, quote_char=None)
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    except pl.exceptions.PolarsError:
        raise fault_of(path, len(names)) from None
    if _may_have_short_rows(path, frame):
        for _ in batches(path, names, line):  # raises for the first one
            pass
    return frame


def scan_csv(path: Path) -> pl.LazyFrame:
    """Rows as they are streamed, with `LINE`; of a file that may be larger than memory.

    Raises as `read_csv` does; what only the rows show, `collect` raises as an error of polars, which
    `csv_fault` explains.
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
    """The first line that cannot be used, when polars has failed to use one."""
    return fault_of(path, len(header_of(path)[0]))


def _header(path: Path, found: Survey) -> tuple[list[str], int]:
    if found.blank:
        raise DataError(f"{path}: the file is empty", mend="it needs a header line and rows")
    return header_of(path)


def _may_have_short_rows(path: Path, frame: pl.DataFrame) -> bool:
    """False for certain when no row lacks its last cell, or when all commas are there.

    Rows of nulls are blank lines or nothing but commas, which the count cannot tell apart.
    """
    last = frame[:, -1].is_null()
    if not last.any():
        return False
    nothing = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if not (last & ~nothing).any():
        return False
    commas = sum(chunk.count(b",") for chunk in chunks(path))
    return bool(nothing.any()) or commas != (frame.width - 1) * (frame.height + 1)


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
