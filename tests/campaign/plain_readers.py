"""CSV and JSON Lines read the slow way, to compare with: character by character, by the rules alone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MOST_COLUMNS = 4096
LONGEST_LINE = 1 << 24
_END = re.compile(r"\r*(?:\n|\Z)")  # some programs of Windows write two carriage returns


@dataclass(frozen=True)
class Rows:
    """Rows that are not blank, by the names of their columns; None where a cell is empty."""

    names: list[str]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True)
class Fault:
    """The file must be refused; `line` is the one to be named, None where that is not fixed."""

    line: int | None


def plain_csv(data: bytes) -> Rows | Fault:
    """RFC 4180, with quotes taken as they are inside fields that do not begin with one."""
    text = _text(data)
    if isinstance(text, Fault):
        return text
    if not text.strip():
        return Fault(None)
    if '"' not in text and _lone_cr(text):
        return Fault(_lone_cr(text))
    names: list[str] | None = None
    rows: list[tuple[str | None, ...]] = []
    for line, record in _records(text):
        if record is None:
            return Fault(line)
        if not record:
            continue
        if names is None:
            names = record
            if len(names) > MOST_COLUMNS or len(set(names)) < len(names):
                return Fault(line)
        elif len(record) != len(names):
            return Fault(line)
        elif any(record):
            rows.append(tuple(cell or None for cell in record))
    return Rows(names or [], rows) if rows else Fault(None)


def _records(text: str) -> Iterator[tuple[int, list[str] | None]]:
    """Each record and the line it begins on; None, and the line of the fault, where it is wrong."""
    place, line = 0, 1
    while place < len(text):
        begins, record = line, []
        while True:
            field, opened = [], line
            if text.startswith('"', place):
                place += 1
                while True:
                    if place >= len(text):
                        yield opened, None
                        return
                    character = text[place]
                    if character == '"' and text.startswith('"', place + 1):
                        place += 1
                    elif character == '"':
                        break
                    line += character == "\n"
                    field.append(character)
                    place += 1
                place += 1
                if not text.startswith(",", place) and not _END.match(text, place):
                    yield opened, None
                    return
            else:
                while place < len(text) and text[place] not in ",\r\n":
                    field.append(text[place])
                    place += 1
                if text.startswith("\r", place) and not _END.match(text, place):
                    yield line, None
                    return
            record.append("".join(field))
            if text[place : place + 1] != ",":
                break
            place += 1
        end = _END.match(text, place)
        blank = record == [""] and text[place - 1 : place] != '"'
        place = end.end() if end else len(text)
        yield begins, [] if blank else record
        line += 1


def plain_json_lines(data: bytes) -> Rows | Fault:
    """One object a line by Python's json, without what it takes beyond JSON."""
    text = _text(data)
    if isinstance(text, Fault):
        return text
    if not text.strip():
        return Fault(None)
    if _lone_cr(text):
        return Fault(_lone_cr(text))
    kinds: dict[str, set[str]] = {}
    numbers: dict[str, list[tuple[int, int]]] = {}
    objects: list[dict[str, Any]] = []
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip(" \t\r"):
            continue
        try:
            found = json.loads(content, parse_constant=_refuse, object_pairs_hook=_first_of_each)
            content.encode()
            json.dumps(found, ensure_ascii=False).encode()
        except ValueError:
            return Fault(line)
        if not isinstance(found, dict) or not _fits(found):
            return Fault(line)
        objects.append(found)
        for name, value in found.items():
            kinds.setdefault(name, set()).add(type(value).__name__)
            if type(value) is int:
                numbers.setdefault(name, []).append((line, value))
        if len(kinds) > MOST_COLUMNS:
            return Fault(line)
    if any(not _one_column(each) for each in kinds.values()):
        return Fault(None)
    for name in (name for name, each in kinds.items() if each - {"NoneType"} == {"int", "float"}):
        for line, value in numbers[name]:
            if int(float(value)) != value:
                return Fault(line)
    if any(
        value >= 2**127 for name, each in numbers.items() if "str" not in kinds[name] for _, value in each
    ):
        return Fault(None)
    names = [
        name
        for name, each in kinds.items()
        if each <= {"str", "int", "NoneType"} and len(each - {"NoneType"}) < 2
    ]
    rows = [tuple(each.get(name) for name in names) for each in objects]
    rows = [row for row in rows if any(cell is not None for cell in row)]
    return Rows(names, rows)


def _refuse(name: str) -> None:
    raise ValueError(name)


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _fits(found: dict[str, Any]) -> bool:
    """Whether a column can hold the numbers, at least as text: whole ones of 128 bits, and finite ones."""
    numbers = [value for value in found.values() if isinstance(value, int | float)]
    return all(
        -(2**127) <= each < 2**128 if isinstance(each, int) else math.isfinite(each) for each in numbers
    )


def _one_column(kinds: set[str]) -> bool:
    """Beside text all becomes text; else only whole numbers and fractions go together."""
    kinds = kinds - {"NoneType"}
    return len(kinds) < 2 or "str" in kinds or kinds == {"int", "float"}


def _text(data: bytes) -> str | Fault:
    lines = data.split(b"\n")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Fault(1)
    for number, line in enumerate(lines, 1):
        if b"\0" in line or len(line) > LONGEST_LINE:
            return Fault(number)
        try:
            line.decode()
        except UnicodeDecodeError:
            return Fault(number)
    return data.decode("utf-8-sig")


def _lone_cr(text: str) -> int | None:
    """The first line with a carriage return that no line feed follows."""
    for number, line in enumerate(text.split("\n"), 1):
        if "\r" in line[:-1] or (line.endswith("\r") and number == text.count("\n") + 1):
            return number
    return None
