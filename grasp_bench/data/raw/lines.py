"""Lines of raw files, numbered, in memory that does not grow with the file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Event, Report, silent

CHUNK = 1 << 20
LONGEST_LINE = 1 << 22  # bytes; the longest product known has a tenth of that
BOM = b"\xef\xbb\xbf"


def numbered_lines(
    path: Path, report: Report = silent, packing: str | None = None
) -> Iterator[tuple[int, bytes]]:
    """Every line that is not blank, with its number from 1; `packing` ".gz", by default the suffix, unpacks.

    Reports bytes of the file as it lies on disk. Raises DataError, with the line, for a gzip file that
    is damaged or ends too early, and for lines beyond 4 MiB.
    """
    number, rest = 0, BOM[:0]
    for chunk in _chunks(path, packing or path.suffix, report):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            if line and not line.isspace():
                yield number, line.removeprefix(BOM) if number == 1 else line
        if len(rest) > LONGEST_LINE:
            raise DataError(
                f"{path}:{number + 1}: a line of more than {LONGEST_LINE >> 20} MiB",
                mend="raw files have one JSON object a line: is this the right file?",
            )
    if rest and not rest.isspace():
        yield number + 1, rest.removeprefix(BOM) if number == 0 else rest


def _chunks(path: Path, packing: str, report: Report) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as packed:
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=packed)) if packing == ".gz" else packed
        try:
            while chunk := stream.read(CHUNK):
                report(Event(f"read {path.name}", packed.tell(), size, "bytes"))
                yield chunk
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            what = "ends too early" if isinstance(error, EOFError) else f"is damaged ({error})"
            raise DataError(
                f"{path}: the gzip file {what}", mend=f"delete {path.name} and fetch it again"
            ) from None
