"""Read JSON Lines as frames with polars; Python's json describes faults."""

from __future__ import annotations

import io
import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables.text_files import BOM, MOST_COLUMNS, Source, contents, opened, survey

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
BLANK = b" \t\r\n"
WIDEST = range(-(2**127), 2**128)  # integers that polars can hold, if only beside text
MOST_DIGITS = 40
PIECE = 1 << 14  # bytes
FEW_KEYS = 128
EXACT = 2.0**53  # a float holds every integer up to here
ONE_OBJECT = "write one JSON object a line"
ONE_KIND = "give each key values of one kind on all lines, numbers of more than 38 digits as text"
_KEY = re.compile(rb'"([^"\\]*)"\s*:')
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF_CHARACTER = re.compile(_HIGH + rb"(?!" + _LOW + rb")|(?<!" + _HIGH + rb")" + _LOW)


def read_json_lines(path: Source) -> pl.DataFrame:
    """Read all objects, one column for each key; null where a key is absent.

    Raises DataError, with the line, for what is not UTF-8 or not JSON (NaN is not), numbers that no
    column holds exactly, halves of surrogate pairs, keys whose values are of several kinds, and more keys,
    longer lines or larger packed files than are read.
    """
    found = survey(path)
    if found.blank:
        raise DataError(f"{path}: the file is empty", hint="it needs one JSON object a line")
    found.refuse_lone_cr(path)
    data = contents(path).removeprefix(BOM)
    if _may_have_many_keys(data):
        data = _without_nested_keys(path, data)
    _refuse_half_characters(path, data)
    try:
        frame = _parse(data)
    except UNREADABLE as error:
        raise _fault(path, data, error) from None
    _refuse_rounded(path, data, frame)
    return frame


def line_of(path: Source, row: int) -> int:
    """Return the line of a row; rows count from 0, without blank lines."""
    with opened(path) as stream:
        lines = (number for number, line in enumerate(stream, 1) if line.removeprefix(BOM).strip(BLANK))
        return next(islice(lines, row, None), 1)


def _parse(data: bytes) -> pl.DataFrame:
    return pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield lines that are not blank, with their numbers."""
    for number, line in enumerate(io.BytesIO(data), 1):
        if line.strip(BLANK):
            yield number, line


def _may_have_many_keys(data: bytes) -> bool:
    """Return whether a sample of 64 pieces shows that there may be many keys, nested ones included."""
    pieces = range(0, len(data), max(PIECE, len(data) // 64))
    sample = Counter(key for begins in pieces for key in _KEY.findall(data, begins, begins + PIECE))
    return len(sample) > FEW_KEYS or list(sample.values()).count(1) > FEW_KEYS // 8


def _without_nested_keys(path: Source, data: bytes) -> bytes:
    """Replace nested objects, of which no column is read as text, by `{"…": null}` if there are many keys.

    Inferring the types of many keys takes quadratic time. Amazon's products have thousands in `details`.
    Raises DataError, with the line, for more keys of the objects themselves than are read.
    """
    keys: set[bytes] = set()
    for _, line in _lines(data):
        keys.update(_KEY.findall(line))
    if len(keys) <= MOST_COLUMNS:
        return data
    names: set[str] = set()
    lines = [""] * (data.count(b"\n") + 1)  # blank lines stay, so that later lines keep their numbers
    for number, line in _lines(data):
        try:
            found = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError, _NotHeldError):
            return data  # the reader names the fault
        if not isinstance(found, dict):
            return data
        names.update(found)
        if len(names) > MOST_COLUMNS:
            raise DataError(
                f"{path}:{number}: with this line there are more than {MOST_COLUMNS:,} different keys",
                hint="is something an id that should be a value? leave out the keys that are not needed",
            )
        lines[number - 1] = json.dumps(
            {key: _flat(value) for key, value in found.items()}, ensure_ascii=False
        )
    return "\n".join(lines).encode(errors="surrogatepass")


def _flat(value: Any) -> Any:
    if isinstance(value, dict):
        return {"…": None}
    return [_flat(each) for each in value] if isinstance(value, list) else value


def _refuse_half_characters(path: Source, data: bytes) -> None:
    """Refuse lone surrogates: polars reads them as NUL, so that two such ids would become one."""
    if b"\\ud" not in data and b"\\uD" not in data:
        return
    for found in _HALF_CHARACTER.finditer(data):
        begins = data.rfind(b"\n", 0, found.start()) + 1
        line = data[begins : data.find(b"\n", begins) if b"\n" in data[begins:] else None]
        try:
            json.dumps(json.loads(line), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{path}:{_number(data, begins)}: {found[0].decode()} is half of a character",
                hint="write both halves of the surrogate pair, or the character itself",
            ) from None
        except (ValueError, RecursionError):
            return  # not JSON at all, which the reader reports better


def _number(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def _refuse_rounded(path: Source, data: bytes, frame: pl.DataFrame) -> None:
    """Refuse large integers in a column with fractions, where floats would merge them."""
    large = [
        name
        for name, values in frame.to_dict().items()
        if values.dtype == pl.Float64 and (values.abs() >= EXACT).any()
    ]
    for number, line in _lines(data) if large else ():
        for name in large:
            value = json.loads(line).get(name)
            if isinstance(value, int) and not isinstance(value, bool) and int(float(value)) != value:
                raise DataError(
                    f"{path}:{number}: {name} is {value}, which is rounded beside fractions on other lines",
                    hint="write whole numbers on all lines, or all values as text",
                )


def _fault(path: Source, data: bytes, error: BaseException) -> DataError:
    for number, line in _lines(data):
        why = _what_is_wrong(line)
        if why is not None:
            message, hint = why
            return DataError(f"{path}:{number}: {message}", hint=hint)
    lines = data.splitlines(keepends=True)
    # No line is wrong alone: find the first that does not go with those above it.
    first = bisect_left(range(1, len(lines)), True, key=lambda count: _fails(b"".join(lines[:count]))) + 1
    said = str(error).splitlines() or [type(error).__name__]
    return DataError(f"{path}:{first}: does not go with the lines above ({said[0]})", hint=ONE_KIND)


def _fails(data: bytes) -> bool:
    try:
        _parse(data)
    except UNREADABLE:
        return bool(data.strip())
    return False


def _what_is_wrong(line: bytes) -> tuple[str, str] | None:
    """Return the fault of a single line and a hint; None without a fault."""
    try:
        value = json.loads(line, parse_constant=_refuse_constant, parse_int=_whole, parse_float=_finite)
    except _NotHeldError as error:
        return str(error), error.hint
    except RecursionError:
        return "nested too deeply", ONE_OBJECT
    except ValueError as error:
        return f"not JSON ({error})", ONE_OBJECT
    if not isinstance(value, dict):
        return f"a JSON {type(value).__name__} where an object is wanted", ONE_OBJECT
    return None


class _NotHeldError(Exception):
    """A number that JSON or a column cannot hold."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _refuse_constant(name: str) -> NoReturn:
    raise _NotHeldError(f"{name} is not JSON", "write null, or leave the key out")


def _whole(digits: str) -> Any:
    if len(digits) > MOST_DIGITS or int(digits) not in WIDEST:
        raise _NotHeldError(f"{digits[:40]}… is too large a number", 'write it as text: "…"')
    return int(digits)


def _finite(digits: str) -> float:
    if abs(float(digits)) == float("inf"):
        raise _NotHeldError(f"{digits[:40]} is too large a number", "write null, or leave the key out")
    return float(digits)
