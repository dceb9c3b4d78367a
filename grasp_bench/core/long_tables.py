"""Tables of thousands of rows on a terminal, in a fraction of the time that rich takes row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

LONG = 100  # rows
BORDERS = 3  # characters beside each column's text


def add_rows(table: Table, rows: Sequence[Sequence[Text]], width: int) -> None:
    """Add rows to a table that has its columns and will be printed `width` characters wide.

    rich lays out each row by itself. Many rows of which nothing is folded are given to it as one row of as
    many lines, which looks the same.
    """
    from rich.text import Text

    heads = [str(column.header) for column in table.columns]
    plain = all("\n" not in text.plain for row in rows for text in row)
    if plain and len(rows) > LONG and natural_width(heads, rows) <= width:
        rows = [[Text("\n").join(column) for column in zip(*rows, strict=True)]]
        for column in table.columns:
            column.no_wrap = True  # rich need not look for where to fold
    for row in rows:
        table.add_row(*row)


def natural_width(heads: Sequence[str], rows: Sequence[Sequence[Text]]) -> int:
    """Characters that a table of these columns takes when nothing is folded."""
    from rich.text import Text

    columns = zip(*([Text(head) for head in heads], *rows), strict=True)
    return sum(max(map(_longest_line, column)) + BORDERS for column in columns) + 1


def _longest_line(text: Text) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, text.plain.split("\n")))
