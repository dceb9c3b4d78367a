"""One line to one record: JSON, or the Python literals of the 2014 files, which nothing ever evaluates."""

from __future__ import annotations

import ast
import json
import re
import warnings
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import DataError

LONGEST_LITERAL = 1 << 20  # bytes; a syntax tree takes a hundred times as many
# Of lines written as Python does it, so that reading them as JSON need not be tried.
_LITERAL = re.compile(rb"\s*\{\s*u?'")
_NESTING = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)


def record_of(line: bytes, path: Path, number: int) -> dict[str, Any]:
    """Read a line as a JSON object or else as a Python literal.

    `ast.literal_eval` builds numbers, strings and containers and calls nothing; how deeply they may be
    nested is bounded by Python's parser, how long they may be by us. Raises DataError with file and line.
    """
    try:
        found = None if _LITERAL.match(line) else _json(line)
        found = _literal(line) if found is None else found
    except _NESTING as error:
        raise DataError(
            f"{path}:{number}: neither JSON nor a Python literal ({_first_line(error)})",
            mend="fetch the file again, or correct the line",
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
