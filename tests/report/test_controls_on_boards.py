"""Controls on a board: where their figures put them, without a place, never the best, tested only by name."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from results_builder import Results, control, metric_values

from grasp_bench.report.board import load_board
from grasp_bench.report.comparison_layout import lay_out_pair
from grasp_bench.report.comparison_pair import compare_pair
from grasp_bench.report.document import Document, Table
from grasp_bench.report.layout import lay_out
from grasp_bench.report.renderers.registry import RENDERERS
from grasp_bench.report.schema import Board

USERS = 120


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """A control above both methods, one below, one that is not finished, and grasp on shuffled embeddings."""
    made = Results(tmp_path / "study")
    base = np.random.default_rng(0).integers(1, 40, USERS)
    for seed in (1, 2):
        made.cell(f"sasrec-none-s{seed}", base + 3 + seed, seed=seed, nodes={"train": "a"})
        made.cell(
            f"gru4rec-none-s{seed}", base + 1 + seed, seed=seed, backbone="gru4rec", nodes={"train": "b"}
        )
        made.cell(f"sasrec-grasp-s{seed}", base + seed, seed=seed, enhancer="grasp", nodes={"train": "c"})
    shuffled = {"kind": "control", "enhancer": "grasp", "ablation": "shuffled", "nodes": {"train": "d"}}
    made.cell("sasrec-grasp-shuffled-s1", base + 4, seed=1, **shuffled)
    made.cell("markov", base, **control("markov"))
    made.cell("random", base + 60, **control("random"))
    made.plan(
        {"slug": "popularity", "dataset": "toy", "ablation": None, "hash": "x", **control("popularity")}
    )
    made.study(
        hypotheses=[
            {"better": "grasp", "than": "markov", "metric": "NDCG@10", "protocol": "full"},
            {"better": "grasp", "than": "grasp/shuffled", "metric": "NDCG@10", "protocol": "full"},
        ]
    )
    return made


@pytest.fixture
def board(results: Results) -> Board:
    return load_board(results.folder)


def table(document: Document, title: str) -> Table:
    return next(t for section in document.sections for t in section.tables if t.title.startswith(title))


def test_a_control_stands_where_its_mean_puts_it_without_a_place(board: Board) -> None:
    ranking = table(lay_out(board), "full ranking")
    assert [[entry.text for entry in row[:3]] for row in ranking.rows] == [
        ["–", "markov °", "–"],
        ["1", "sasrec+grasp", "2"],
        ["2", "gru4rec+none", "2"],
        ["–", "sasrec+grasp/shuffled °", "1"],
        ["3", "sasrec+none", "2"],
        ["–", "random °", "–"],
        ["–", "popularity °", "–"],
    ]
    notes = " ".join(ranking.notes)
    assert "° control: shows what a figure is worth" in notes
    assert "Not above markov ° (untrained): sasrec+grasp, gru4rec+none, sasrec+none." in notes


def test_a_method_that_tells_everybody_nearly_the_same_is_named(results: Results) -> None:
    for seed, coverage in ((1, 0.002), (2, 0.006)):
        file = results.folder / f"gru4rec-none-s{seed}" / "metrics.json"
        metrics = json.loads(file.read_text())
        file.write_text(json.dumps(metrics | {"beyond": {"coverage@10": coverage}}))
    ranking = table(lay_out(load_board(results.folder)), "full ranking")
    alike = [note for note in ranking.notes if note.startswith("Nearly one list")]
    assert [note.rpartition(": ")[2] for note in alike] == ["gru4rec+none."]
    sampled = table(lay_out(load_board(results.folder)), "sampled ranking")
    assert not any(note.startswith("Nearly one list") for note in sampled.notes)


def test_it_is_never_the_best_nor_in_the_tier_nor_in_the_family(board: Board) -> None:
    tests = board["rankings"][0]["tests"]["full"]["NDCG@10"]
    named = {tests["best"], *tests["tier"], *(pair["label"] for pair in tests["pairs"])}
    assert named == {"sasrec+grasp", "gru4rec+none", "sasrec+none"}
    for title in ("full ranking", "NDCG@10 by group"):
        rows = table(lay_out(board), title).rows
        marked = {row[k].text for row in rows for k in (0, 1) if any(entry.mark == "best" for entry in row)}
        assert not any("°" in name for name in marked)


def test_named_in_a_hypothesis_it_meets_all_seeds_of_the_other(board: Board) -> None:
    markov, shuffled = board["claims"]
    assert (markov["better"], markov["than"], markov["seeds"]) == ("sasrec+grasp", "markov", [1, 2])
    assert (markov["verdict"], markov["test"]["trainings"]) == ("undecided", [2, 0])
    assert (shuffled["than"], shuffled["seeds"]) == ("sasrec+grasp/shuffled", [1, 2])
    assert (shuffled["verdict"], shuffled["than_seeds"]) == ("one_training", [1])
    assert "not finished" not in markov["words"] + shuffled["words"]


def test_one_that_is_missing_is_said_so_without_a_seed(board: Board) -> None:
    assert [(gap["slug"], gap["method"], gap["seed"]) for gap in board["missing"]] == [
        ("popularity", "popularity", None)
    ]
    gaps = next(section for section in lay_out(board).sections if section.title == "Not on this board")
    assert gaps.lines == ["missing (not finished): popularity."]


def test_seeds_are_those_of_what_was_trained(board: Board) -> None:
    seeds = table(lay_out(board), "NDCG@10 by seed")
    assert [column.head for column in seeds.columns] == ["method", "seed 1", "seed 2"]
    assert not any(row[0].text.startswith(("markov", "random", "popularity")) for row in seeds.rows)


@pytest.mark.parametrize("name", RENDERERS.names())
def test_every_format_shows_them(board: Board, name: str) -> None:
    text = RENDERERS.get(name)(board, lay_out(board))
    assert "markov" in text


def test_csv_and_json_tell_their_kind(board: Board) -> None:
    rows = list(csv.DictReader(io.StringIO(RENDERERS.get("csv")(board, lay_out(board)))))
    kinds = {row["method"]: row["kind"] for row in rows}
    assert kinds["markov"] == kinds["sasrec+grasp/shuffled"] == "control"
    assert kinds["sasrec+grasp"] == "trained"
    assert {row["seed"] for row in rows if row["method"] == "markov"} == {"mean"}
    stored = json.loads(RENDERERS.get("json")(board, lay_out(board)))
    assert {row["kind"] for row in stored["rankings"][0]["rows"]} == {"trained", "control"}


def test_a_pair_with_a_control_is_explained_on_all_seeds(results: Results) -> None:
    pair = compare_pair(results.folder, "sasrec+grasp", "markov")
    assert (pair["first_seeds"], pair["second_seeds"]) == ([1, 2], [])
    assert [seed["second"] for seed in pair["protocols"]["full"]["seeds"]] == [None, None]
    assert pair["protocols"]["full"]["test"]["difference"] < 0
    assert lay_out_pair(pair).lines[0] == "Seeds: 1, 2, each against the one row of what has none."


def test_a_board_of_controls_alone_is_a_board(tmp_path: Path) -> None:
    made = Results(tmp_path / "alone")
    made.cell("random", np.arange(1, 31), **control("random"))
    board = load_board(made.folder)
    assert board["rankings"][0]["rows"][0]["values"]["full"]["overall"]["NDCG@10"]["mean"] > 0
    assert lay_out(board).sections


def test_an_imported_run_is_ranked_and_marked_and_may_lack_a_ranking(tmp_path: Path) -> None:
    made = Results(tmp_path / "peers")
    ranks = np.random.default_rng(1).integers(1, 40, USERS)
    for seed in (1, 2):
        made.cell(f"none-s{seed}", ranks + seed, seed=seed, nodes={"train": "a"})
    peer = {**control("theirs"), "kind": "imported"}
    made.cell("theirs", ranks, **peer)
    made.cell("lists", ranks, **{**peer, "name": "lists"}, protocols=("full",))
    made.cell("scores-s7", ranks + 9, **{**peer, "name": "scores", "seed": 7}, protocols=("sampled",))
    made.study()
    board = load_board(made.folder)
    full, sampled = (table(lay_out(board), f"{name} ranking") for name in ("full", "sampled"))
    assert [[entry.text for entry in row[:3]] for row in full.rows] == [
        ["1", "lists ‡", "–"], ["2", "theirs ‡", "–"], ["3", "none", "2"], ["–", "scores ‡", "1"],
    ]  # fmt: skip
    assert [row[1].text for row in sampled.rows if row[0].text == "–"] == ["lists ‡"]
    tests = board["rankings"][0]["tests"]["full"]["NDCG@10"]
    trainings = {pair["label"]: pair["test"]["trainings"] for pair in tests["pairs"]}
    assert trainings == {"theirs": [1, 1], "none": [2, 1]}
    assert any("‡ imported" in note for note in full.notes)


def test_a_list_of_best_items_is_not_tested_beyond_its_depth(tmp_path: Path) -> None:
    made = Results(tmp_path / "lists")
    ranks = np.random.default_rng(1).integers(1, 40, USERS)
    made.cell("none-s1", ranks + 1, nodes={"train": "a"})
    listed = made.cell("lists", ranks, **{**control("lists"), "kind": "imported"}, protocols=("full",))
    figures = json.loads((listed / "metrics.json").read_text())
    del figures["full"]["overall"]["NDCG@10"]  # lists of fewer than ten items
    (listed / "metrics.json").write_text(json.dumps(figures))
    made.study(hypotheses=[{"better": "lists", "than": "none", "metric": "NDCG@10", "protocol": "full"}])
    (claim,) = load_board(made.folder)["claims"]
    assert (claim["verdict"], claim["test"]) == ("untested", None)
    assert "NDCG@10 (full) was not measured" in claim["words"]


def test_what_is_left_of_a_gain_on_shuffled_embeddings(results: Results, board: Board) -> None:
    (found,) = board["rankings"][0]["tests"]["full"]["NDCG@10"]["shuffled"]
    assert (found["label"], found["over"]) == ("sasrec+grasp", "sasrec+none")
    assert (found["gain"]["trainings"], found["left"]["trainings"]) == ([2, 2], [1, 2])
    base = np.random.default_rng(0).integers(1, 40, USERS)
    grasp, none, shuffled = (
        np.mean([metric_values(base + each)["NDCG@10"].mean() for each in more])
        for more in ((1, 2), (4, 5), (4,))
    )
    assert found["gain"]["difference"] == pytest.approx(grasp - none)
    assert found["left"]["difference"] == pytest.approx(shuffled - none)
    shown = table(lay_out(board), "NDCG@10, full ranking")
    assert [entry.text for entry in shown.rows[0][:2]] == ["sasrec+grasp", "sasrec+none"]
    assert shown.rows[0][-1].text == "no gain beyond chance"


@pytest.mark.parametrize(
    ("seeds", "more", "words"),
    [((1, 2), 2, "44% stays"), ((1,), 2, "44% stays in one training, which decides nothing"),
     ((1, 2), 9, "vanishes")],
)  # fmt: skip
def test_what_stays_is_told_as_a_share(tmp_path: Path, seeds: tuple[int, ...], more: int, words: str) -> None:
    made = Results(tmp_path / "stays")
    ranks = np.ones(USERS, dtype=int)
    shuffled = {"kind": "control", "enhancer": "grasp", "ablation": "shuffled"}
    for slug, add, changes in (
        ("none", 4, {}),
        ("grasp", 1, {"enhancer": "grasp"}),
        ("shuffled", more, shuffled),
    ):
        for seed in seeds if slug == "shuffled" else (1, 2):
            made.cell(f"{slug}-s{seed}", ranks + add, nodes={"train": slug}, seed=seed, **changes)
    made.study(metric="MRR@10")
    rows = table(lay_out(load_board(made.folder)), "MRR@10, full ranking").rows
    assert rows[0][-1].text == words  # (1/3 - 1/5) / (1/2 - 1/5) = 4/9


def test_what_chance_may_leave_is_not_said_to_vanish(tmp_path: Path) -> None:
    made = Results(tmp_path / "chance")
    ranks, one_better = np.full(USERS, 5), np.full(USERS, 5)
    one_better[0] = 1
    shuffled = {"kind": "control", "enhancer": "grasp", "ablation": "shuffled", "nodes": {"train": "s"}}
    for seed in (1, 2):
        made.cell(f"none-s{seed}", ranks, nodes={"train": "n"}, seed=seed)
        made.cell(f"grasp-s{seed}", ranks - 1, enhancer="grasp", nodes={"train": "g"}, seed=seed)
        made.cell(f"llmesr-s{seed}", one_better, enhancer="llmesr", nodes={"train": "l"}, seed=seed)
        made.cell(f"grasp-shuffled-s{seed}", one_better, **shuffled, seed=seed)
        made.cell(f"llmesr-shuffled-s{seed}", one_better, **{**shuffled, "enhancer": "llmesr"}, seed=seed)
    made.study(metric="MRR@10")
    rows = table(lay_out(load_board(made.folder)), "MRR@10, full ranking").rows
    # (1 - 1/5) / 120 users of 1/4 - 1/5
    assert {row[0].text: row[-1].text for row in rows} == {
        "grasp": "13% stays, which chance may give",
        "llmesr": "no gain beyond chance",
    }


def test_a_shuffled_method_finds_itself_where_a_compared_key_made_no_difference_to_it(tmp_path: Path) -> None:
    made = Results(tmp_path / "variants")
    ranks = np.full(USERS, 5)
    shuffled = {"kind": "control", "enhancer": "llmesr", "ablation": "shuffled", "nodes": {"train": "s"}}
    for seed in (1, 2):
        made.cell(f"none-s{seed}", ranks, nodes={"train": "n"}, seed=seed)
        made.cell(f"llmesr-s{seed}", ranks - 1, enhancer="llmesr", nodes={"train": "l"}, seed=seed)
        variant = {"model.attention": "sigmoid"}
        made.cell(f"llmesr-shuffled-s{seed}", ranks, **shuffled, variant=variant, seed=seed)
    for attention in ("sigmoid", "softmax"):
        made.cell(
            f"grasp-{attention}", ranks, enhancer="grasp", nodes={"train": attention},
            variant={"model.attention": attention},
        )  # fmt: skip
    made.study(metric="MRR@10")
    rows = table(lay_out(load_board(made.folder)), "MRR@10, full ranking").rows
    assert [(row[0].text, row[-1].text) for row in rows] == [("llmesr", "vanishes")]
