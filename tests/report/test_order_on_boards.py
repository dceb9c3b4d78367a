"""On boards, what the file's order decides: the card's warning, and groups of the last step."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from results_builder import Results, summary

from grasp_bench.report.board import load_board
from grasp_bench.report.comparison_pair import compare_pair
from grasp_bench.report.formatting import GROUP_HEADS
from grasp_bench.report.layout import headline, lay_out
from grasp_bench.report.renderers.registry import RENDERERS
from grasp_bench.report.schema import GROUPS
from grasp_bench.report.sections.groups import group_tables

WARNING = "toy: the item id ascends in 71.0 % of steps."
CARDS = {
    "toy (min_user=5)": {"users": 300, "warnings": [WARNING]},
    "toy (ascending runs shuffled, seed 42)": {"users": 300, "warnings": ["of another dataset"]},
}


def results(folder: Path) -> Path:
    """One method with groups of the last step, and one as earlier versions measured it."""
    made, ranks = Results(folder), np.arange(1, 61)
    told = made.cell("sasrec-grasp-s42", ranks, enhancer="grasp")
    made.cell("sasrec-none-s42", ranks + 3)
    made.study(cards=CARDS)
    metrics = json.loads((told / "metrics.json").read_text())
    for protocol in ("full", "sampled"):
        metrics[protocol] |= {"ascending": summary(ranks[:40]), "descending": summary(ranks[40:])}
    (told / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.mark.parametrize("name", sorted(RENDERERS))
def test_every_format_has_the_warning(tmp_path: Path, name: str) -> None:
    board = load_board(results(tmp_path / "toy_spec"))
    text = RENDERERS.get(name)(board, headline(lay_out(board))).replace("&#160;", " ")
    assert "the item id ascends in 71.0" in " ".join(text.split())
    assert board["rankings"][0]["warnings"] == [WARNING]


def test_csv_says_it_beside_means_over_all_users(tmp_path: Path) -> None:
    board = load_board(results(tmp_path / "toy_spec"))
    rows = list(csv.DictReader(io.StringIO(RENDERERS.get("csv")(board, lay_out(board)))))
    assert {(row["group"], row["seed"]) for row in rows if row["warnings"]} == {("overall", "mean")}
    assert {row["warnings"] for row in rows} == {"", WARNING}


def test_groups_of_the_last_step_have_a_table_and_old_results_a_blank(tmp_path: Path) -> None:
    folder = results(tmp_path / "toy_spec")
    (ranking,) = load_board(folder)["rankings"]
    usual, steps = group_tables(ranking, "full", "NDCG@10")
    assert [column.head for column in usual.columns] == [
        "method",
        "head users (n=30)",
        "repeat targets (n=0)",
    ]
    assert [column.head for column in steps.columns] == [
        "method", "ascending ids (n=40)", "descending ids (n=20)",
    ]  # fmt: skip
    expected = f"{100 * sum(1 / np.log2(1 + rank) for rank in range(1, 11)) / 40:.2f}"
    assert [[entry.text for entry in row] for row in steps.rows] == [
        ["grasp", expected, "0.00"], ["none", "–", "–"],
    ]  # fmt: skip
    compared = compare_pair(folder, "grasp", "none")["protocols"]["full"]["groups"]
    assert [found["group"] for found in compared] == ["head_user"]  # nothing beside it on the other side


def test_every_group_has_a_heading() -> None:
    assert set(GROUP_HEADS) == set(GROUPS)
