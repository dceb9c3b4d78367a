"""A board laid out for print, before any format: sections of tables of entries, and lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["ranking", "across", "claims", "gaps", "noise", "detail"]
Mark = Literal["", "best", "second"]
BLANK = "–"
DECIMALS = 9  # means of equal values in another order may differ by a float64 rounding


@dataclass(frozen=True)
class Entry:
    """One table entry: plain text (renderers escape it) and how it stands out.

    `tier`: not distinguishable from the best of its table. `order`: what a table is sorted by where the
    text's first number is not it.
    """

    text: str
    mark: Mark = ""
    tier: bool = False
    order: float | None = None


@dataclass(frozen=True)
class Column:
    """A column's heading; numbers are set right, names left; a spare one may go where space is short."""

    head: str
    align: Literal["left", "right"] = "right"
    spare: bool = False


@dataclass(frozen=True)
class Table:
    """Entries row by row, each row as long as `columns`; notes are printed below."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Entry]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A heading with lines of text and tables; `kind` tells what a short view keeps.

    A folded one is opened by who wants it, in formats that can fold.
    """

    title: str
    tables: Sequence[Table] = ()
    lines: Sequence[str] = ()
    kind: Kind = "detail"
    folded: bool = False


@dataclass(frozen=True)
class Document:
    """A whole board."""

    title: str
    lines: Sequence[str]
    sections: Sequence[Section] = field(default_factory=tuple)


def without_column(table: Table, index: int) -> Table:
    """The table less one column."""
    rows = [[*row[:index], *row[index + 1 :]] for row in table.rows]
    columns = [*table.columns[:index], *table.columns[index + 1 :]]
    return Table(table.title, columns, rows, table.notes)


def mark_best(values: Sequence[float | None]) -> list[Mark]:
    """Mark the highest and second highest value, equal ones alike; blanks and a lone value stay unmarked."""
    values = [value if value is None else round(value, DECIMALS) for value in values]
    distinct = sorted({value for value in values if value is not None}, reverse=True)
    if len(distinct) < 2:
        return [""] * len(values)
    marks: dict[float | None, Mark] = {distinct[0]: "best", distinct[1]: "second"}
    return [marks.get(value, "") for value in values]
