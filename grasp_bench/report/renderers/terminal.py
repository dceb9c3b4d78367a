"""Render documents as rich tables, in a terminal or as an SVG picture of one.

The best is bold, the second underlined, ≈ marks the tier of the best.
"""

from __future__ import annotations

import io

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from grasp_bench.core import console
from grasp_bench.core.console import ShowingConsole, plain
from grasp_bench.core.shown import shown_line
from grasp_bench.report.document import Document, Entry, Section, Table, without_column
from grasp_bench.report.schema import Board

STYLES = {"": "", "best": "bold green", "second": "underline"}
PLAIN_WIDTH = 160


def show(document: Document, console: Console) -> None:
    """Print all sections to the console."""
    console.print(plain(document.title, "bold"))
    for line in document.lines:
        console.print(plain(" ".join(line.split("\n"))), style="dim")
    for section in document.sections:
        show_section(section, console)


def show_section(section: Section, console: Console) -> None:
    """Print one section."""
    console.print()
    console.rule(plain(section.title, "bold"), align="left")
    for line in section.lines:
        console.print(plain(line))
    for table in section.plain_tables:
        console.print()
        table = fit(table, console.width)
        console.print(rich_table(table, console.width))
        for note in table.notes:
            console.print(plain(note), style="dim")


def fit(table: Table, width: int) -> Table:
    """Leave spare columns out, from the right, until the table fits; a note says how many."""
    left_out = 0
    while natural_width(table) > width:
        spare = [index for index, column in enumerate(table.columns) if column.spare]
        if not spare:
            break
        table = without_column(table, spare[-1])
        left_out += 1
    if not left_out:
        return table
    note = f"{left_out} columns are left out for want of space: widen the terminal, or --format md."
    return Table(table.title, table.columns, table.rows, [*table.notes, note])


def natural_width(table: Table) -> int:
    """Characters that the table takes when nothing is folded."""
    return console.natural_width([shown_line(column.head) for column in table.columns], _texts(table))


def rich_table(table: Table, width: int) -> RichTable:
    """Turn one table into rich's, to be printed `width` characters wide."""
    made = RichTable(
        title=plain(table.title, "bold") if table.title else None, title_justify="left", header_style="bold"
    )
    for column in table.columns:
        made.add_column(plain(column.head), justify=column.align, overflow="fold")
    console.add_rows(made, _texts(table), width)
    return made


def render(board: Board, document: Document) -> str:
    """Plain text without colours, for a file or a pipe."""
    stream = io.StringIO()
    show(document, ShowingConsole(file=stream, width=PLAIN_WIDTH, color_system=None, highlight=False))
    return stream.getvalue()


def _texts(table: Table) -> list[list[Text]]:
    return [[_text(entry) for entry in row] for row in table.rows]


def _text(entry: Entry) -> Text:
    text = plain(entry.text, STYLES[entry.mark])
    return text.append(" ≈", style="not bold not underline") if entry.tier else text


MIN_WIDTH = 80


def render_svg(board: Board, document: Document) -> str:
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
