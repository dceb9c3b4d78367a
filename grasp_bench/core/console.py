"""Rich console that escapes the text it prints, and a faster way to print long tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from grasp_bench.core.outlets import styled
from grasp_bench.core.shown import shown, shown_line

if TYPE_CHECKING:
    from rich.table import Table


class ShowingConsole(Console):
    """A console that escapes control characters in printed text; only rich's own sequences act."""

    @property
    def file(self) -> IO[str]:
        """The stream below the process's Outlet, since text is already escaped."""
        return styled(super().file)

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Yield segments with escaped text.

        Escapes are longer than the characters they replace: text that must fit (cells, labels) should be
        passed as `plain`, which is escaped before it is measured.
        """
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else shown(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style)


def plain(text: str, style: str = "") -> Text:
    """Return text of any origin on one line, without markup, emoji codes or control characters."""
    return Text(shown_line(text), style)


LONG = 100  # rows
BORDERS = 3  # characters around each column's text


def add_rows(table: Table, rows: Sequence[Sequence[Text]], width: int) -> None:
    """Add rows to a table that has its columns and will be printed `width` characters wide.

    rich lays out every row separately. Many rows that need no folding are passed as one row of as many lines,
    which looks the same and is much faster.
    """
    heads = [str(column.header) for column in table.columns]
    one_line = all("\n" not in text.plain for row in rows for text in row)
    if one_line and len(rows) > LONG and natural_width(heads, rows) <= width:
        rows = [[Text("\n").join(column) for column in zip(*rows, strict=True)]]
        for column in table.columns:
            column.no_wrap = True  # rich need not look for folds
    for row in rows:
        table.add_row(*row)


def natural_width(heads: Sequence[str], rows: Sequence[Sequence[Text]]) -> int:
    """Return the width of a table of these columns without folding."""
    columns = zip(*([Text(head) for head in heads], *rows), strict=True)
    return sum(max(map(_longest_line, column)) + BORDERS for column in columns) + 1


def _longest_line(text: Text) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, text.plain.split("\n")))
