"""Read the records of raw files: an object a line, or delimited text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from grasp_bench.core.errors import DataError
from grasp_bench.core.progress import Event, Report
from grasp_bench.core.tables.text_files import LONGEST
from grasp_bench.data.sources.archives import place
from grasp_bench.data.sources.records import numbered_lines, record_of

Record = Mapping[str, Any]
Rows = Iterator[tuple[int, Record]]  # with the number of the line, from 1
Lines = Iterator[tuple[int, bytes]]
Names = tuple[str, Collection[str]]  # a key, and the values that are wanted


class Format(Protocol):
    """How the records of a raw file are read."""

    @property
    def member(self) -> str:
        """The file's name in an archive."""

    def rows(self, path: Path, report: Report, counts: Counter[str], wanted: Names | None = None) -> Rows:
        """Yield the records of a file; of unwanted ones, some may be left out."""


@dataclass(frozen=True)
class ObjectLines:
    """Lines that are JSON objects or Python literals, plain or packed by gzip."""

    member: str = ""

    def rows(self, path: Path, report: Report, counts: Counter[str], wanted: Names | None = None) -> Rows:
        """Yield the records; lines that name no wanted value are not parsed, which saves most of the time."""
        where, lines = place(path, self.member), numbered_lines(path, report, member=self.member)
        if wanted is None:
            for number, line in lines:
                yield number, record_of(line, where, number)
            return
        key, values = wanted
        # Where a line has the key. Text may look the same, so all matches of a line count.
        names = re.compile(rb"""['"]%b['"]\s*:\s*u?['"]([^'"\\]+)['"]""" % re.escape(key.encode()))
        encoded = {value.encode() for value in values}
        for number, line in lines:
            named = names.findall(line)
            if not named or not encoded.isdisjoint(named):
                yield number, record_of(line, where, number)


@dataclass(frozen=True)
class Delimited:
    """Lines of fields.

    `names`: the columns of a file without a header; else the first line must have those of `header`. With
    commas, fields may be quoted (RFC 4180). With another separator quotes are ordinary letters. `odd_lines`:
    how many lines of the published file have another number of fields; they are left out, named and counted.
    """

    names: tuple[str, ...] | None = None
    header: tuple[str, ...] = ()
    separator: str = ","
    encoding: str = "utf-8"
    member: str = ""
    odd_lines: int = 0

    def rows(self, path: Path, report: Report, counts: Counter[str], wanted: Names | None = None) -> Rows:
        """Yield the records, every field as text; all of them, wanted or not."""
        where, names, odd = place(path, self.member), self.names, 0
        lines = numbered_lines(path, report, member=self.member)
        for number, fields in (self._quoted if self.separator == "," else self._split)(lines, where):
            if names is None:
                names = self._checked_header(f"{where}:{number}", fields)
            elif len(fields) == len(names):
                yield number, dict(zip(names, fields, strict=True))
            else:
                odd += 1
                what = f"{where}:{number}: {len(fields)} fields where {len(names)} are expected"
                if odd > self.odd_lines:
                    raise DataError(what, hint=f"delete {path.name} and fetch it again, or correct the line")
                counts["lines_left_out"] += 1
                report(
                    Event(f"read {self.member or path.name}", number, 0, "lines", note=f"{what}: left out")
                )

    def _checked_header(self, where: str, fields: list[str]) -> tuple[str, ...]:
        missing = [name for name in self.header if name not in fields]
        if missing:
            raise DataError(
                f"{where}: the header lacks {', '.join(missing)}; it is {','.join(fields)[:100]}",
                hint="is this the published file?",
            )
        return tuple(fields)

    def _split(self, lines: Lines, where: str) -> Iterator[tuple[int, list[str]]]:
        for number, line in lines:
            try:
                yield number, line.decode(self.encoding).rstrip("\r").split(self.separator)
            except UnicodeDecodeError as error:
                raise _no_text(where, number, self.encoding, error) from None

    def _quoted(self, lines: Lines, where: str) -> Iterator[tuple[int, list[str]]]:
        number = 0

        def text() -> Iterator[str]:
            nonlocal number
            for number_now, line in lines:
                number = number_now
                yield line.decode(self.encoding) + "\n"

        csv.field_size_limit(LONGEST)
        try:
            # Strict, so that no open quote swallows rows.
            for fields in csv.reader(text(), strict=True):
                yield number, fields
        except (csv.Error, UnicodeDecodeError) as error:
            raise _no_text(where, number, "UTF-8 CSV", error) from None


def _no_text(where: str, number: int, what: str, error: Exception) -> DataError:
    return DataError(
        f"{where}:{number}: not {what} ({error})", hint="fetch the file again, or correct the line"
    )
