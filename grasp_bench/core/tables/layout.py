"""How a table of text is laid out: its separator, quotes, header and encoding, given or found.

What is not given is found in the first lines of the file:

    a;b,c           separator: the first of `::`, tab, `;`, `,`, `|` that stands equally often in all lines
    196 242         two ids on every line: one interaction a line, in order
    u1 i5 i7 i2     lines of different widths: a user and the items of the history, in order

Atomic files of RecBole (`.inter`, `.item`, `.user`) are separated by tabs, have no quotes, and name the type
of each column in the header: `user_id:token`.
"""

from __future__ import annotations

import csv
import io
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables.text_files import BOM, Recoded, Source, contents, opened
from grasp_bench.core.words import listed

USER, ITEM, POSITION = "user_id", "item_id", "position"
ATOMIC = (".inter", ".item", ".user")
TEXT = (".csv", ".tsv", ".txt", ".dat", ".data", *ATOMIC)
JSON = (".json", ".jsonl", ".ndjson")
KINDS = (*TEXT, *JSON, ".parquet")
TYPES = ("token", "token_seq", "float", "float_seq")
SEPARATORS = ("::", "\t", ";", ",", "|")
UNIT = "\x1f"  # stands for a separator of several characters
SAMPLE = 50  # lines
LONGEST_SAMPLE = 1 << 20  # bytes
QUOTED = (",", ";", "|")  # separators of files whose fields may stand in quotes
NAMES = {"\t": "tab", " ": "space", ",": "comma"}


@dataclass(frozen=True)
class Layout:
    """How a text file is read; None is found.

    With `quotes`, fields may stand in double quotes: by default not where tabs, blanks or several characters
    separate them. `header` names the columns of a file without a header line. With `user_lines`, a line is a
    user and the items of the history. `ids_only` marks a file of pairs of ids, whose order is that of its
    lines. `shown` is the separator of the file where `separator` stands for it.
    """

    separator: str | None = None
    header: tuple[str, ...] | None = None
    encoding: str = "utf-8"
    quotes: bool | None = None
    user_lines: bool | None = None
    ids_only: bool = False
    typed: bool = False
    shown: str = ""

    def in_words(self) -> str:
        """Describe it in a few words, for the card and for errors."""
        if self.typed:
            return "an atomic file of RecBole"
        separator = NAMES.get(self.separator or "", f"'{self.shown or self.separator}'")
        if self.user_lines:
            return f"one user a line, then items, separated by {separator}"
        parts = [f"separator {separator}"]
        if self.ids_only:
            parts.append("one interaction a line (user, item), in order")
        elif self.header:
            parts.append(f"no header line: {', '.join(self.header)}")
        if self.encoding != "utf-8":
            parts.append(self.encoding)
        return "; ".join(parts)


FOUND = Layout()
COMMAS = Layout(",", quotes=True, user_lines=False)


def layout_of(source: Source, suffix: str, asked: Layout) -> Layout:
    """Complete what was asked by what the first lines show; DataError when they do not show a separator."""
    if suffix in ATOMIC:
        return replace(asked, separator="\t", quotes=False, user_lines=False, typed=asked.header is None)
    lines = first_lines(source, asked.encoding)
    separator = asked.separator or _separator(lines, suffix, asked)
    if separator is None:
        raise DataError(
            f"{source}: cannot tell how its columns are separated ('{lines[0][:60]}')",
            hint="set dataset.format.separator, and dataset.format.header if the file has no header line",
        )
    rows = fields(lines, separator)
    quotes = separator in QUOTED if asked.quotes is None else asked.quotes and len(separator) == 1
    found = replace(asked, separator=separator, quotes=quotes, user_lines=bool(asked.user_lines))
    if asked.user_lines is not None or asked.header is not None or not _are_ids(rows):
        return found
    widths = {len(row) for row in rows}
    if len(widths) > 1 and separator == " ":
        return replace(found, user_lines=True)
    return replace(found, header=(USER, ITEM), ids_only=True) if widths == {2} else found


def _separator(lines: list[str], suffix: str, asked: Layout) -> str | None:
    if suffix == ".tsv":
        return "\t"
    if suffix == ".csv" and lines and "," in lines[0] and asked.user_lines is not True:
        return ","
    for separator in SEPARATORS:
        widths = set(map(len, fields(lines, separator)))
        if widths and min(widths) > 1 and (len(widths) == 1 or asked.user_lines):
            return separator
    in_all = [each for each in SEPARATORS if lines and all(each in line for line in lines)]
    if in_all:  # some rows are too short or too long, which the reader names
        return in_all[0]
    by_blanks = fields(lines, " ")
    widths = set(map(len, by_blanks))
    if asked.user_lines or _are_ids(by_blanks) or (asked.header and widths == {len(asked.header)}):
        return " "
    return "," if suffix == ".csv" or widths <= {1} else None  # a table of one column


def _are_ids(rows: list[list[str]]) -> bool:
    """Return whether each row has several cells, and each cell a digit: ids, and no header above them."""
    return (
        bool(rows)
        and max(map(len, rows)) > 1
        and all(any(map(str.isdigit, cell)) for row in rows for cell in row)
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def looks_like_data(names: list[str]) -> bool:
    """Return whether column names are rather the first row of a table without a header line."""
    return any(_is_number(name) for name in names)


def fields(lines: list[str], separator: str) -> list[list[str]]:
    """Split lines, by the rules of CSV where the separator may stand in quotes."""
    if separator == " ":
        return [line.split() for line in lines]
    if separator in QUOTED and any('"' in line for line in lines):
        with suppress(csv.Error):
            return [row for row in csv.reader(lines, delimiter=separator) if row]
    return [line.split(separator) for line in lines]


def first_lines(source: Source, encoding: str) -> list[str]:
    """Return the first lines that are not blank, without their ends; bytes of no character are replaced."""
    with opened(source) as stream:
        head = stream.read(LONGEST_SAMPLE)
    try:
        text = head.removeprefix(BOM).decode(encoding, "replace")
    except LookupError:
        raise _unknown_encoding(source, encoding) from None
    if len(head) == LONGEST_SAMPLE and "\n" in text:  # the last line may be cut
        text = text[: text.rindex("\n")]
    return list(islice((line.rstrip("\r\n") for line in io.StringIO(text) if line.strip()), SAMPLE))


def recoded(path: Path, layout: Layout) -> Source:
    """Return the file itself, or its contents as UTF-8 with a separator of one character.

    Raises DataError for an unknown encoding, for bytes that it does not have, and for a file that holds the
    character that is to stand for its separator.
    """
    separator = layout.separator or ""
    if layout.encoding == "utf-8" and len(separator) < 2:
        return path
    try:
        text = contents(path).decode(layout.encoding)
    except LookupError:
        raise _unknown_encoding(path, layout.encoding) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: not {layout.encoding}: byte 0x{error.object[error.start]:02x}",
            hint="set dataset.format.encoding to that of the file, such as latin-1",
        ) from None
    if len(separator) > 1:
        if UNIT in text:
            line = text.count("\n", 0, text.index(UNIT)) + 1
            raise DataError(f"{path}:{line}: the control character U+001F", hint="remove it")
        text = text.replace(separator, UNIT)
    return Recoded(path, text.encode())


def _unknown_encoding(source: Source, encoding: str) -> DataError:
    return DataError(
        f"{source}: no encoding is called '{encoding}'",
        hint="set dataset.format.encoding: utf-8, latin-1, cp1252",
    )


def untyped(path: Source, names: list[str]) -> list[str]:
    """Return the column names of an atomic file without their types; DataError for a name without one."""
    for name in names:
        if name.rpartition(":")[2] not in TYPES or ":" not in name:
            raise DataError(
                f"{path}:1: column '{name}' names no type",
                hint=f"the header of an atomic file names each column as name:type, of {listed(TYPES)}",
            )
    return [name.rpartition(":")[0] for name in names]
