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
from typing import IO, Any, cast

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Event, Report, silent

CHUNK = 1 << 20
LONGEST_LINE = 1 << 22  # bytes; the longest known product takes a tenth of that
BOM = b"\xef\xbb\xbf"

LONGEST_LITERAL = 1 << 20  # bytes; a syntax tree takes a hundred times as many
# A line in Python's notation, which need not be tried as JSON.
_LITERAL = re.compile(rb"\s*\{\s*u?'")
_NESTING = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)


def numbered_lines(
    path: Path, report: Report = silent, packing: str | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield every line that is not blank, with its number from 1, in memory that does not grow with the file.

    `packing` (default: the suffix) ".gz" unpacks. Reports bytes on disk. Raises DataError for a gzip file
    that is damaged or ends too early, and, with the line, for lines beyond 4 MiB.
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
                hint="raw files have one JSON object a line: is this the right file?",
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
                f"{path}: the gzip file {what}", hint=f"delete {path.name} and fetch it again"
            ) from None


def record_of(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """Parse a line as a JSON object, or else as a Python literal (the 2014 files).

    `ast.literal_eval` builds numbers, strings and containers and calls nothing; Python's parser bounds their
    depth, `LONGEST_LITERAL` their length. Raises DataError with file and line.
    """
    try:
        found = None if _LITERAL.match(line) else _json(line)
        found = _literal(line) if found is None else found
    except _NESTING as error:
        raise DataError(
            f"{path}:{number}: neither JSON nor a Python literal ({_first_line(error)})",
            hint="fetch the file again, or correct the line",
        ) from None
    if not isinstance(found, dict):
        raise DataError(f"{path}:{number}: holds {type(found).__name__}, not an object of named values")
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
