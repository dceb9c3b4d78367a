"""Long tables look as rich would lay them out row by row."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grasp_bench.core import console

ROWS = [[f"cell {'x' * (k % 30)}", "深層" if k % 7 else "", str(k), "one"] for k in range(150)]


def printed(width: int, *others: list[str]) -> str:
    stream = io.StringIO()
    table = Table("name", "a long heading", title="Title", title_justify="left")
    table.add_column("number", justify="right", overflow="fold")
    table.add_column("more")
    console.add_rows(table, [[Text(text) for text in row] for row in [*ROWS, *others]], width)
    Console(file=stream, width=width).print(table)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 72, 73, 74, 75, 76, 77, 78, 120])
def test_a_long_table_looks_as_row_by_row(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = printed(width)
    monkeypatch.setattr(console, "LONG", len(ROWS))
    assert at_once == printed(width)


def test_an_entry_of_two_lines_stays_in_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ["last", "", "1", "two\nlines"]
    at_once = printed(120, other)
    monkeypatch.setattr(console, "LONG", 1000)
    assert at_once == printed(120, other)
