"""The console escapes what it prints, and long tables look like rich's own."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grasp_bench.core import console
from grasp_bench.core.console import ShowingConsole, plain


def printed(*things: object, **settings: object) -> str:
    stream = io.StringIO()
    console = ShowingConsole(file=stream, force_terminal=True, color_system="256", width=80, **settings)
    for thing in things:
        console.print(thing)
    return stream.getvalue()


def test_colours_are_sent_and_escapes_shown() -> None:
    text = printed(Text("\x1b[5;35mid\x9b", "bold"), highlight=False)
    assert text == "\x1b[1m\\x1b[5;35mid\\x9b\x1b[0m\n"


@pytest.mark.parametrize("make", [str, Text])
def test_no_cell_of_a_table_sends_anything(make) -> None:
    table = Table(title="\x1b]0;t\x07", caption="\x1bc")
    table.add_column("\x1b[2J")
    table.add_row(make("\x1b]52;c;Zm9v\x1b\\"))
    text = printed(table)
    assert "\x1b]" not in text
    assert "\x1bc" not in text
    assert "\x1b[2J" not in text


def test_plain_text_is_neither_markup_nor_emoji_nor_several_lines() -> None:
    text = "[/bold] [link=http://evil]x[/] :bomb: \\ a\nb\x07"
    assert printed(plain(text)) == "[/bold] [link=http://evil]x[/] :bomb: \\ a\\nb\\x07\n"


def test_plain_text_is_measured_as_it_is_shown() -> None:
    table = Table()
    table.add_column("id")
    table.add_row(plain("\x1b" * 3))
    table.add_row("x")
    lines = printed(table).splitlines()
    assert len({len(Text.from_ansi(line).plain) for line in lines}) == 1


ROWS = [[f"cell {'x' * (k % 30)}", "深層" if k % 7 else "", str(k), "one"] for k in range(150)]


def printed_table(width: int, *others: list[str]) -> str:
    stream = io.StringIO()
    table = Table("name", "a long heading", title="Title", title_justify="left")
    table.add_column("number", justify="right", overflow="fold")
    table.add_column("more")
    console.add_rows(table, [[Text(text) for text in row] for row in [*ROWS, *others]], width)
    Console(file=stream, width=width).print(table)
    return stream.getvalue()


@pytest.mark.parametrize("width", [40, 72, 73, 74, 75, 76, 77, 78, 120])
def test_a_long_table_looks_as_row_by_row(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = printed_table(width)
    monkeypatch.setattr(console, "LONG", len(ROWS))
    assert at_once == printed_table(width)


def test_an_entry_of_two_lines_stays_in_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    other = ["last", "", "1", "two\nlines"]
    at_once = printed_table(120, other)
    monkeypatch.setattr(console, "LONG", 1000)
    assert at_once == printed_table(120, other)
