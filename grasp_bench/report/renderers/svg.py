"""Rankings and verdicts as an SVG picture of the terminal (for a README)."""

from __future__ import annotations

import io

from grasp_bench.core.console import ShowingConsole, plain
from grasp_bench.core.shown import shown_line
from grasp_bench.report.document import Document
from grasp_bench.report.renderers.terminal import natural_width, rich_table
from grasp_bench.report.schema import Board

MIN_WIDTH = 80


def render(board: Board, document: Document) -> str:
    """Draw ranking tables and the words of the short view; the same board gives the same bytes."""
    width = _width(document)
    console = ShowingConsole(
        record=True, width=width, file=io.StringIO(), highlight=False, force_terminal=True
    )
    for section in document.sections:
        if section.kind != "detail":
            for line in section.lines:
                console.print(plain(line))
        if section.kind == "ranking":
            for table in section.plain_tables:
                console.print(rich_table(table, width))
                for note in table.notes:
                    console.print(plain(note), style="dim")
    # Without an id rich makes one from a random-looking checksum of the text; a name keeps diffs small.
    return console.export_svg(
        title=shown_line(f"grasp-bench leaderboard {document.title}"), unique_id="board"
    )


def _width(document: Document) -> int:
    """As many characters as the widest ranking table needs."""
    tables = [t for section in document.sections if section.kind == "ranking" for t in section.plain_tables]
    return max([MIN_WIDTH, *map(natural_width, tables)])
