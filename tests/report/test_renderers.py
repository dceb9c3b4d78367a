"""Formats: nothing of a strange name is read as markup, and the numbers arrive."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from grasp_bench.report.board import load_board
from grasp_bench.report.document import Column, Document, Entry, Section, Table, mark_best
from grasp_bench.report.layout import lay_out
from grasp_bench.report.renderers import latex, markdown, terminal
from grasp_bench.report.renderers.registry import RENDERERS, render_all

ODD = r"a|b_c*d [bold]x[/] 100% $5 \n {ö} ~^<u>&#"


def odd_document() -> Document:
    table = Table(
        ODD, [Column(ODD, "left")], [[Entry(ODD, "best", tier=True)], [Entry("x", "second")]], [ODD]
    )
    return Document(ODD, [ODD], [Section(ODD, [table], [ODD], kind="ranking")])


@pytest.fixture
def board(toy):
    return load_board(toy.folder)


def test_every_format_renders_any_name(board) -> None:
    for name in RENDERERS:
        assert RENDERERS.get(name)(board, odd_document()).strip()


def test_terminal_shows_markup_as_text() -> None:
    assert "[bold]x[/] 100% $5" in terminal.render({}, odd_document())


def test_markdown_cells_do_not_break_the_table() -> None:
    lines = markdown.render({}, odd_document()).splitlines()
    cells = [line for line in lines if line.startswith("| **")]
    assert len(cells) == 1
    assert len(re.findall(r"(?<!\\)\|", cells[0])) == 2
    assert r"\_c\*d \[bold\]" in cells[0]
    assert cells[0].endswith("** ≈ |")
    assert "| <u>x</u> |" in lines


@given(st.text())
def test_latex_leaves_no_special_character(text) -> None:
    escaped = latex.escape(text)
    for macro in ("textbackslash{}", "textasciitilde{}", "textasciicircum{}", "textless{}", "textgreater{}"):
        escaped = escaped.replace(f"\\{macro}", "")
    escaped = re.sub(r"\\[&%$#_{}]|\$\\(pm|approx|geq|leq|times)\$", "", escaped)
    assert not re.search(r"[\\&%$#_{}~^]", escaped)


def test_latex_table_is_balanced(board) -> None:
    text = RENDERERS.get("latex")(board, lay_out(board))
    assert text.count("\\begin{table}") == text.count("\\end{table}") > 4
    assert text.count("\\toprule") == text.count("\\bottomrule")
    assert "grasp/softmax" in text
    assert re.search(r"\\textbf\{\d+\.\d\d \$\\pm\$ \d\.\d\d\}", text)
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")


def test_csv_is_tidy_and_exact(board, toy) -> None:
    rows = list(csv.DictReader(io.StringIO(RENDERERS.get("csv")(board, lay_out(board)))))
    found = {(r["method"], r["protocol"], r["group"], r["metric"], r["seed"]): r["value"] for r in rows}
    assert len(found) == len(rows)
    metrics = json.loads((toy.folder / "sasrec-none-s43" / "metrics.json").read_text())
    assert float(found["none", "full", "overall", "HR@5", "43"]) == metrics["full"]["overall"]["HR@5"]
    seeds = [float(found["none", "sampled", "overall", "NDCG@5", str(seed)]) for seed in (42, 43, 44)]
    assert float(found["none", "sampled", "overall", "NDCG@5", "mean"]) == pytest.approx(np.mean(seeds))


def test_csv_says_over_how_many_seeds_a_mean_is(toy) -> None:
    (toy.folder / "sasrec-grasp-s44" / "cell.json").unlink()
    board = load_board(toy.folder)
    rows = csv.DictReader(io.StringIO(RENDERERS.get("csv")(board, lay_out(board))))
    found = {(row["seed"], row["seeds"], row["planned_seeds"]) for row in rows if row["method"] == "grasp"}
    assert found == {("mean", "2", "3"), ("42", "2", "3"), ("43", "2", "3")}


def test_json_is_the_board(board) -> None:
    assert json.loads(RENDERERS.get("json")(board, lay_out(board))) == board


def test_html_is_one_well_formed_page_that_loads_nothing(board) -> None:
    text = RENDERERS.get("html")(board, odd_document()).removeprefix("<!doctype html>\n")
    page = ElementTree.fromstring(re.sub(r"(<meta [^>]*)>", r"\1/>", text))
    assert page.find(".//caption").text == ODD
    assert page.find(".//td/span[@class='best']").text == ODD
    whole = RENDERERS.get("html")(board, lay_out(board))
    assert not re.search(r"(src|href)=\"(?!#)", whole)
    assert whole.count("<details>") == whole.count("</details>") > 2


def test_markdown_folds_what_few_read(board) -> None:
    lines = RENDERERS.get("md")(board, lay_out(board)).splitlines()
    assert lines.count("</details>") == lines.count("<details><summary>show</summary>") > 2
    assert lines.index("## Provenance") < lines.index(
        "<details><summary>show</summary>", lines.index("## Seeds") + 4
    )


def test_svg_is_xml_and_repeatable(board) -> None:
    text = RENDERERS.get("svg")(board, lay_out(board))
    assert ElementTree.fromstring(text).tag.endswith("svg")
    assert text == RENDERERS.get("svg")(board, lay_out(board))
    assert "seed 43" not in text.replace("&#160;", " ")


def test_svg_is_as_wide_as_its_widest_table(board) -> None:
    table = Table("t", [Column("c")], [[Entry("w" * 150)]])
    text = RENDERERS.get("svg")(board, Document("x", [], [Section("s", [table], kind="ranking")]))
    assert "w" * 150 in text


def test_a_narrow_terminal_gets_fewer_columns_and_is_told(board) -> None:
    stream = io.StringIO()
    terminal.show(lay_out(board), Console(file=stream, width=80))
    text = stream.getvalue()
    assert "grasp/softmax" in text
    assert "…" not in text
    assert re.search(r"\d columns are left out", text)
    assert max(map(len, text.splitlines())) <= 80


def test_terminal_has_every_section(board) -> None:
    text = RENDERERS.get("rich")(board, lay_out(board))
    for word in (
        "Leaderboard: toy",
        "Declared hypotheses",
        "Exploratory",
        "seed 44",
        "torch 2.13.0",
        "lengths.mean",
    ):
        assert word in text


def test_published_files_are_left_alone_when_nothing_changed(toy, tmp_path) -> None:
    paths = render_all(toy.folder, tmp_path / "leaderboard")
    assert [path.name for path in paths] == [
        f"toy_spec.{suffix}" for suffix in ("md", "html", "csv", "json", "tex")
    ]
    before = [path.stat().st_mtime_ns for path in paths]
    render_all(toy.folder, tmp_path / "leaderboard")
    assert [path.stat().st_mtime_ns for path in paths] == before


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([0.1, 0.3, 0.2], ["", "best", "second"]),
        ([0.3, 0.3, 0.1], ["best", "best", "second"]),
        ([0.1 + 0.2, 0.3], ["", ""]),
        ([None, 0.3, 0.1], ["", "best", "second"]),
        ([0.3], [""]),
        ([], []),
    ],
)
def test_marks(values, marks) -> None:
    assert mark_best(values) == marks
