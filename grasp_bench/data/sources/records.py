"""Read raw files line by line, each line as JSON or as a Python literal."""

from __future__ import annotations

import ast
import gzip
import json
import re
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Event, Report, silent
from grasp_bench.data.sources.archives import is_archive, opened, place

CHUNK = 1 << 20
LONGEST_LINE = 1 << 22  # bytes; the longest known product takes a tenth of that
BOM = b"\xef\xbb\xbf"

LONGEST_LITERAL = 1 << 20  # bytes; a syntax tree takes a hundred times as many
# A line in Python's notation, which need not be tried as JSON.
_LITERAL = re.compile(rb"\s*\{\s*u?'")
_NESTING = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)


def numbered_lines(
    path: Path, report: Report = silent, packing: str | None = None, member: str = ""
) -> Iterator[tuple[int, bytes]]:
    """Yield every line that is not blank, with its number from 1, in memory that does not grow with the file.

    `packing` (default: the suffix) ".gz" unpacks; of an archive, `member` is read. Reports bytes as they are
    read. Raises DataError for a file that is damaged or ends too early, and, with the line, for lines beyond
    4 MiB.
    """
    number, rest = 0, BOM[:0]
    for chunk in chunks(path, report, packing, member):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            if line and not line.isspace():
                yield number, line.removeprefix(BOM) if number == 1 else line
        if len(rest) > LONGEST_LINE:
            raise DataError(
                f"{place(path, member)}:{number + 1}: a line of more than {LONGEST_LINE >> 20} MiB",
                hint="raw files have one JSON object a line: is this the right file?",
            )
    if rest and not rest.isspace():
        yield number + 1, rest.removeprefix(BOM) if number == 0 else rest


def chunks(
    path: Path, report: Report = silent, packing: str | None = None, member: str = ""
) -> Iterator[bytes]:
    """Yield the unpacked bytes of a file, or of a member of an archive, piece by piece."""
    task, total, done = f"read {member or path.name}", path.stat().st_size, 0
    with opened(path, member, packing) as stream:
        on_disk = getattr(stream, "fileobj", stream)  # of a packed file, the bytes on disk
        try:
            while chunk := stream.read(CHUNK):
                done += len(chunk)
                known = (done, 0) if is_archive(path) else (on_disk.tell(), total)
                report(Event(task, *known, "bytes"))
                yield chunk
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            if is_archive(path):
                raise
            what = "ends too early" if isinstance(error, EOFError) else f"is damaged ({error})"
            raise DataError(
                f"{path}: the gzip file {what}", hint=f"delete {path.name} and fetch it again"
            ) from None


def record_of(line: bytes, where: str | Path, number: int) -> dict[str, Any]:
    """Parse a line as a JSON object, or else as a Python literal (the 2014 files).

    `ast.literal_eval` builds numbers, strings and containers and calls nothing; Python's parser bounds their
    depth, `LONGEST_LITERAL` their length. Raises DataError with file and line.
    """
    try:
        found = None if _LITERAL.match(line) else _json(line)
        found = _literal(line) if found is None else found
    except _NESTING as error:
        raise DataError(
            f"{where}:{number}: neither JSON nor a Python literal ({_first_line(error)})",
            hint="fetch the file again, or correct the line",
        ) from None
    if not isinstance(found, dict):
        raise DataError(f"{where}:{number}: holds {type(found).__name__}, not an object of named values")
    return found


def _json(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _literal(line: bytes) -> Any:
    if len(line) > LONGEST_LITERAL:
        raise ValueError(f"longer than {LONGEST_LITERAL >> 20} MiB")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # descriptions hold backslashes that are no escapes
        return ast.literal_eval(line.decode("utf-8").strip())


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100] or type(error).__name__
