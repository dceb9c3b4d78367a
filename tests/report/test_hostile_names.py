"""Names with control characters and markup in stored results: shown in every format, drawn, never HTML."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt
from results_builder import Results

from grasp_bench.report.board import load_board
from grasp_bench.report.charts.drawing import to_svg
from grasp_bench.report.charts.row_charts import Bar, bars
from grasp_bench.report.document import Column, Document, Entry, Section, Table
from grasp_bench.report.layout import lay_out
from grasp_bench.report.page.render import write_report
from grasp_bench.report.renderers import latex, markdown
from grasp_bench.report.renderers.registry import RENDERERS

NAME = "a\x1b]52;c;Zm9v\x07\x00\x85\x9b\u2028\u202e\ufffe\uffff\r\n| b <img src=x> &lt;script&gt; **c**"
NEVER = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


@pytest.fixture
def hostile(toy: Results) -> Path:
    for cell in toy.folder.glob("*/cell.json"):
        told = json.loads(cell.read_text())
        cell.write_text(json.dumps(told | {"dataset": NAME, "ablation": told["ablation"] and NAME}))
    for identity in toy.planned:
        identity |= {"dataset": NAME, "ablation": identity["ablation"] and NAME}
    toy.study(description=NAME, cards={NAME: {"users": 3}})
    return toy.folder


def document() -> Document:
    table = Table(NAME, [Column(NAME, "left")], [[Entry(NAME, "best", tier=True)], [Entry(NAME)]], [NAME])
    return Document(NAME, [NAME], [Section(NAME, [table], [NAME], kind="ranking", folded=True)])


@pytest.mark.parametrize("form", ["rich", "md", "html", "latex", "svg"])
def test_formats_for_people_show_control_characters(hostile: Path, form: str) -> None:
    board = load_board(hostile)
    for each in (lay_out(board), document()):
        assert not NEVER.search(RENDERERS.get(form)(board, each))


def test_formats_for_programs_keep_them(hostile: Path) -> None:
    board = load_board(hostile)
    label = f"grasp/{NAME}"
    assert json.loads(RENDERERS.get("json")(board, lay_out(board))) == board
    rows = csv.DictReader(io.StringIO(RENDERERS.get("csv")(board, lay_out(board)), newline=""))
    assert label in {row["method"] for row in rows}


def test_pictures_of_boards_are_xml(hostile: Path) -> None:
    ElementTree.fromstring(RENDERERS.get("svg")(load_board(hostile), document()))


def test_markdown_has_no_html_of_a_name_and_says_the_name() -> None:
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown.render({}, document()))
    assert set(re.findall(r"<(\w+)", html)) <= {
        "h1", "h2", "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "details", "summary",
        "ul", "li",
    }  # fmt: skip
    shown = r"a\x1b]52;c;Zm9v\x07\x00\x85\x9b\u2028\u202e\ufffe\uffff | b &lt;img src=x&gt; "
    assert f"<h1>{shown}&amp;lt;script&amp;gt; **c**</h1>" in html
    assert html.count("<tr>") == 3


def test_latex_shows_escapes_as_text() -> None:
    assert latex.escape("\x1b[") == r"\textbackslash{}x1b["


def test_a_report_is_drawn_whatever_names_hold(hostile: Path, tmp_path: Path) -> None:
    page = write_report(hostile, tmp_path / "report.html", tmp_path).read_text(encoding="utf-8")
    assert not NEVER.search(page)
    assert "<img src=x" not in page
    assert page.count(r"a\x1b]52;c;Zm9v\x07") > 10


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x0b", "\u2028", "\ud800", "\ufffe", "\uffff", "\x85"]
)
def test_no_character_ends_the_process_that_draws(character: str) -> None:
    name = f"a{character}b"
    root = ElementTree.fromstring(to_svg(bars([Bar(name, 1.0, name)], 900, name), name))
    assert root.attrib["aria-label"].startswith("a\\")
