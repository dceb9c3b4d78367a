"""Write and read `texts.parquet` in groups of rows, so that memory does not grow with the texts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import polars as pl

GROUP = 8192  # rows; of two kilobytes each they take 16 MB
TABLE = "texts.parquet"
_PARTS = "parts"


def write_text_table(
    out: Path, ids: pl.Series, texts: Iterable[str], progress: Callable[[int], None]
) -> Path:
    """Write columns id and text into `out`, in the order given, and return the file.

    `texts` is read once and to its end; `progress` gets the number written. Files of an interrupted attempt
    are overwritten.
    """
    parts = out / _PARTS
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    stream = iter(texts)
    files: list[Path] = []
    done = 0
    while chunk := list(islice(stream, GROUP)):
        files.append(parts / f"{len(files):06d}.parquet")
        columns = {"id": ids.slice(done, len(chunk)), "text": chunk}
        pl.DataFrame(columns, schema={"id": pl.String, "text": pl.String}).write_parquet(files[-1])
        done += len(chunk)
        progress(done)
    table = out / TABLE
    pl.scan_parquet(files, glob=False).sink_parquet(table, row_group_size=GROUP, maintain_order=True)
    shutil.rmtree(parts)
    return table


def read_texts(table: Path) -> Iterator[str]:
    """Yield the texts in order."""
    scan = pl.scan_parquet(table, glob=False).select("text")
    start = 0
    while len(chunk := scan.slice(start, GROUP).collect()):
        yield from chunk["text"].to_list()
        start += len(chunk)
