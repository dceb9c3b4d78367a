"""A board or study before any format: sections of lines, tables, and figures that each have a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

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


Head: TypeAlias = str | Column
Content: TypeAlias = str | Entry


@dataclass(frozen=True)
class Table:
    """Entries row by row, each row as long as `columns`; notes are printed below."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Entry]]
    notes: Sequence[str] = ()

    @classmethod
    def of_texts(
        cls, title: str, heads: Sequence[Head], rows: Sequence[Sequence[Content]],
        notes: Sequence[str] = (), names: int = 1,
    ) -> Table:  # fmt: skip
        """A table of plain text; the first `names` columns are names, the others numbers.

        A column or an entry that is more than its text stands as itself.
        """
        columns = [
            Column(head, "right" if place >= names else "left") if isinstance(head, str) else head
            for place, head in enumerate(heads)
        ]
        entries = [[Entry(each) if isinstance(each, str) else each for each in row] for row in rows]
        return cls(title, columns, entries, notes)


@dataclass(frozen=True)
class Chart:
    """A drawing, by the Vega-Lite specification that `make` gives for a width; `name` says what it shows."""

    name: str
    make: Callable[[int], dict[str, Any]]


@dataclass(frozen=True)
class Figure:
    """Charts, their legend, and the same numbers as a table, which formats without pictures show alone."""

    title: str
    charts: Sequence[Chart]
    table: Table
    notes: Sequence[str] = ()

    @classmethod
    def of_one(
        cls, name: str, make: Callable[[int], dict[str, Any]], table: Table, notes: Sequence[str] = ()
    ) -> Figure:
        """A figure of one chart, which has the figure's name."""
        return cls(name, [Chart(name, make)], table, notes)


@dataclass(frozen=True)
class Section:
    """A heading with lines of text, tables and figures; `kind` tells what a short view keeps.

    Formats that can fold show the heading of a folded section, and open the rest on request.
    """

    title: str
    tables: Sequence[Table | Figure] = ()
    lines: Sequence[str] = ()
    kind: Kind = "detail"
    folded: bool = False

    @property
    def plain_tables(self) -> list[Table]:
        """The tables, of figures those behind them."""
        return [each.table if isinstance(each, Figure) else each for each in self.tables]


@dataclass(frozen=True)
class Document:
    """A whole board or study."""

    title: str
    lines: Sequence[str]
    sections: Sequence[Section] = field(default_factory=tuple)

    @property
    def unfolded(self) -> Document:
        """The document without its folded sections."""
        return replace(self, sections=[section for section in self.sections if not section.folded])


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
