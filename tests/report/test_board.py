"""Boards of synthetic results: ranking, gaps, refusals, declared hypotheses, cache."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from results_builder import control, metric_values, settings
from statsmodels.stats.multitest import multipletests

from grasp_bench.core import hashing
from grasp_bench.core.errors import DataError, IncomparableError, MissingFileError, UnknownNameError
from grasp_bench.report.board import FILE, load_board
from grasp_bench.report.layout import headline, lay_out
from grasp_bench.report.renderers import terminal
from grasp_bench.report.study import read_study, write_study
from grasp_bench.spec.experiment import Experiment
from grasp_bench.stats.crossed import difference
from grasp_bench.stats.trainings import Trainings

RANKS = np.arange(1, 41)


def rows_of(board, ranking=0):
    return {row["label"]: row for row in board["rankings"][ranking]["rows"]}


def values_of(results, slug: str) -> np.ndarray:
    """NDCG@10 of every user in the full ranking of a cell."""
    frame = pl.read_parquet(results.folder / slug / "ranks.parquet")
    return metric_values(frame["full_better"].to_numpy() + 1)["NDCG@10"]


def table_of(board, index=0, **asked):
    return lay_out(board, **asked).sections[0].tables[index]


def test_methods_are_ranked_by_the_mean_over_seeds(toy) -> None:
    table = table_of(load_board(toy.folder))
    assert table.title == "full ranking by NDCG@10"
    assert [row[1].text for row in table.rows][-1] == "none"
    best, second, last = (row[3] for row in table.rows)
    assert (best.mark, second.mark, last.mark) == ("best", "second", "")
    per_seed = [values_of(toy, f"sasrec-none-s{seed}").mean() for seed in (42, 43, 44)]
    assert last.text == f"{100 * np.mean(per_seed):.2f} ± {100 * np.std(per_seed, ddof=1):.2f}"


def test_the_tier_has_the_method_that_only_noise_tells_apart(toy) -> None:
    board = load_board(toy.folder)
    assert set(board["rankings"][0]["tests"]["full"]["NDCG@10"]["tier"]) == {"grasp", "grasp/softmax"}
    assert [row[1].tier for row in table_of(board).rows] == [False, True, False]


def test_the_tier_holds_what_holm_does_not_reject_and_the_walk_goes_on(results) -> None:
    """`wild` is further from the best than `near` and in the tier, for its trainings lie far apart."""
    base = np.random.default_rng(2).integers(1, 30, 400)
    shifts = {"none": (0, 0, 0), "near": (2, 2, 2), "wild": (0, 9, 1)}
    for name, more in shifts.items():
        for seed, shift in enumerate(more):
            jitter = np.random.default_rng([seed, len(name), shift]).integers(0, 2, 400)
            results.cell(f"{name}-{seed}", base + shift + jitter, seed=seed, enhancer=name)
    results.study()
    tests = load_board(results.folder)["rankings"][0]["tests"]["full"]["NDCG@10"]
    pairs = tests["pairs"]
    assert [pair["label"] for pair in pairs] == ["near", "wild"]
    raw = [pair["test"]["p"] for pair in pairs]
    assert [pair["p_holm"] for pair in pairs] == pytest.approx(list(multipletests(raw, method="holm")[1]))
    assert [pair["p_bh"] for pair in pairs] == pytest.approx(list(multipletests(raw, method="fdr_bh")[1]))
    assert pairs[0]["p_holm"] < 0.05 < pairs[1]["p_holm"]
    assert tests["tier"] == ["none", "wild"]


def test_verdicts(toy) -> None:
    claims = load_board(toy.folder)["claims"]
    assert [claim["verdict"] for claim in claims] == ["supported", "refuted", "untested"]
    raw = [1.0 if claim["test"] is None else claim["test"]["p"] for claim in claims]
    expected = multipletests(raw, method="holm")[1]
    assert [claim["p_holm"] for claim in claims[:2]] == pytest.approx(list(expected[:2]))
    assert claims[1]["words"].startswith("not supported: none is below grasp/softmax by ")
    assert "no such pair" in claims[2]["words"]


def test_a_missing_seed_is_told_and_the_mean_is_over_those_that_are_there(toy) -> None:
    (toy.folder / "sasrec-grasp-s44" / "cell.json").unlink()
    board = load_board(toy.folder)
    row = rows_of(board)["grasp"]
    metrics = [json.loads((toy.folder / f"sasrec-grasp-s{s}" / "metrics.json").read_text()) for s in (42, 43)]
    mean = np.mean([each["full"]["overall"]["NDCG@10"] for each in metrics])
    assert row["values"]["full"]["overall"]["NDCG@10"]["mean"] == pytest.approx(mean)
    assert [(gap["slug"], gap["method"], gap["seed"]) for gap in board["missing"]] == [
        ("sasrec-grasp-s44", "grasp", 44)
    ]
    table = table_of(board)
    texts = {row[1].text: [entry.text for entry in row[:3]] for row in table.rows}
    assert (texts["grasp"], texts["none"]) == (["(2)", "grasp", "2 of 3"], ["3", "none", "3"])
    assert any("42, 43 alone: grasp" in note for note in table.notes)
    text = terminal.render(board, lay_out(board))
    assert "missing (not finished), seed 44: grasp." in text


def test_a_comparison_is_on_the_seeds_that_each_has(toy) -> None:
    (toy.folder / "sasrec-grasp-s44" / "cell.json").unlink()
    (toy.folder / "sasrec-none-s42" / "cell.json").unlink()
    board = load_board(toy.folder)
    claim = board["claims"][0]
    assert (claim["seeds"], claim["than_seeds"], claim["test"]["trainings"]) == ([42, 43], [43, 44], [2, 2])
    assert claim["words"].endswith("not finished: seed 44 of grasp, seed 42 of none")
    means = {
        method: np.mean([values_of(toy, f"sasrec-{method}-s{seed}").mean() for seed in seeds])
        for method, seeds in (("grasp", (42, 43)), ("none", (43, 44)))
    }
    assert claim["test"]["difference"] == pytest.approx(means["grasp"] - means["none"])
    pairs = board["rankings"][0]["tests"]["full"]["NDCG@10"]["pairs"]
    assert {pair["label"]: pair["test"]["trainings"] for pair in pairs} == {"grasp": [2, 3], "none": [2, 3]}


def test_the_p_of_a_board_is_of_users_and_trainings_crossed(toy) -> None:
    test = load_board(toy.folder)["claims"][0]["test"]
    sides = [
        Trainings.of([values_of(toy, f"sasrec-{method}-s{seed}") for seed in (42, 43, 44)])
        for method in ("grasp", "none")
    ]
    found = difference(*sides)
    assert test["p"] == pytest.approx(found.p)
    assert (test["low"], test["high"]) == pytest.approx(found.interval())


def test_one_training_has_no_verdict_no_tier_and_a_mend(toy) -> None:
    for seed in (43, 44):
        (toy.folder / f"sasrec-grasp-s{seed}" / "cell.json").unlink()
    board = load_board(toy.folder)
    claim = board["claims"][0]
    assert (claim["verdict"], claim["p_holm"], claim["test"]["p"]) == ("one_training", None, None)
    assert "no verdict: these trainings differ" in claim["words"]
    assert "train grasp with more seeds" in claim["words"]
    tests = board["rankings"][0]["tests"]["full"]["NDCG@10"]
    assert "grasp" not in tests["tier"]
    text = terminal.render(board, lay_out(board))
    assert "Add seeds" in text


def test_a_best_that_was_trained_once_leads_no_tier(results) -> None:
    for seed in (1, 2):
        results.cell(f"m{seed}", RANKS + seed, seed=seed)
    results.cell("g", RANKS, enhancer="grasp", seed=1)
    results.study()
    board = load_board(results.folder)
    tests = board["rankings"][0]["tests"]["full"]["NDCG@10"]
    assert (tests["best"], tests["tier"], tests["pairs"][0]["p_holm"]) == ("grasp", [], None)
    assert any("No ≈: grasp was trained once" in note for note in table_of(board).notes)


def test_what_nothing_trained_meets_every_seed(results) -> None:
    rng = np.random.default_rng(3)
    for seed in (1, 2):
        results.cell(f"m{seed}", rng.integers(1, 40, 50), seed=seed, nodes={"train": "t"})
    results.cell("pop", rng.integers(1, 40, 50), **control("popularity"))
    results.study(
        hypotheses=[{"better": "none", "than": "popularity", "metric": "NDCG@10", "protocol": "full"}]
    )
    claim = load_board(results.folder)["claims"][0]
    assert claim["seeds"] == [1, 2]
    assert "not finished" not in claim["words"]


def test_a_planned_method_without_cells_has_a_blank_row(results) -> None:
    results.cell("a", RANKS)
    results.plan({"slug": "b", "dataset": "toy", "backbone": "sasrec", "enhancer": "grasp", "seed": 42})
    results.study()
    board = load_board(results.folder)
    assert rows_of(board)["grasp"]["values"] == {}
    assert [entry.text for entry in table_of(board).rows[-1][:4]] == ["–", "grasp", "0 of 1", "–"]


def test_stale_and_unplanned_cells_are_left_out(results) -> None:
    results.cell("a", RANKS)
    results.cell("b", RANKS, enhancer="grasp")
    results.cell("c", RANKS, enhancer="grasp", ablation="softmax")
    results.planned[1]["hash"] = "changed"
    del results.planned[2]
    results.study()
    board = load_board(results.folder)
    assert [gap["slug"] for gap in board["left_out"]] == ["b", "c"]
    assert "out of date" in board["missing"][0]["reason"]
    assert rows_of(board)["none"]["seeds"] == rows_of(board)["none"]["planned_seeds"]


def test_without_a_study_the_cells_speak_for_themselves(results) -> None:
    results.cell("a", RANKS, seed=1)
    results.cell("b", RANKS, seed=2)
    results.cell("c", RANKS, seed=1, enhancer="grasp")
    board = load_board(results.folder)
    assert rows_of(board)["none"]["planned_seeds"] == [1, 2]
    assert (rows_of(board)["grasp"]["seeds"], rows_of(board)["grasp"]["planned_seeds"]) == ([1], [1, 2])
    assert lay_out(board).title == "toy_spec"


def test_different_protocols_have_tables_of_their_own_and_the_reason(results) -> None:
    results.cell("a", RANKS)
    other = settings(enhancer="grasp")
    other["protocol"] = {"ties": "optimistic", "negatives": 100}
    results.cell("b", RANKS, enhancer="grasp", protocol_hash="p2", settings=other)
    results.study(hypotheses=[{"better": "grasp", "than": "none", "metric": "NDCG@10", "protocol": "full"}])
    board = load_board(results.folder)
    assert [list(rows_of(board, index)) for index in (0, 1)] == [["none"], ["grasp"]]
    assert board["rankings"][0]["why_apart"] == "another protocol: ties mean here, optimistic there"
    assert board["claims"][0]["words"] == "not tested: the two were measured under different protocols"


def test_datasets_are_ranked_apart(results) -> None:
    results.cell("a", RANKS, dataset="fashion", protocol_hash="p2")
    results.cell("b", RANKS)
    board = load_board(results.folder)
    assert [r["why_apart"] for r in board["rankings"]] == [
        "another dataset than toy", "another dataset than fashion",
    ]  # fmt: skip
    assert list(rows_of(board)) == ["none (dataset=fashion)"]


def test_one_protocol_hash_with_different_users_is_refused(results) -> None:
    results.cell("a", RANKS)
    results.cell("b", RANKS, enhancer="grasp", users=np.arange(1, 41))
    with pytest.raises(IncomparableError, match="1 are only in"):
        load_board(results.folder)


def test_one_method_twice_is_refused(results) -> None:
    results.cell("a", RANKS)
    results.cell("b", RANKS)
    with pytest.raises(IncomparableError, match="a and b are the same method"):
        load_board(results.folder)


def test_metrics_that_do_not_follow_from_the_ranks_are_refused(results) -> None:
    path = results.cell("a", RANKS) / "metrics.json"
    path.write_text(path.read_text().replace('"NDCG@10": 0.', '"NDCG@10": 0.9'))
    with pytest.raises(DataError, match=r"metrics\.json"):
        load_board(results.folder)


@pytest.mark.parametrize("name", ["cell.json", "metrics.json", "ranks.parquet"])
@pytest.mark.parametrize("content", ["", "[]", "{", "{}"])
def test_damaged_files_are_named(results, name, content) -> None:
    (results.cell("a", RANKS) / name).write_text(content)
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        load_board(results.folder)


def test_sampled_only(results) -> None:
    results.cell("a", RANKS, protocols=("sampled",))
    results.cell("b", np.maximum(RANKS - 1, 1), protocols=("sampled",), enhancer="grasp")
    results.study()
    board = load_board(results.folder)
    assert board["rank_by"] == "sampled"
    assert [table.title for table in lay_out(board).sections[0].tables] == ["sampled ranking by NDCG@10"]


def test_ties_follow_the_declared_policy(results) -> None:
    path = results.cell("a", np.array([1, 1]))
    frame = pl.read_parquet(path / "ranks.parquet").with_columns(full_tied=pl.Series([1, 1], dtype=pl.UInt32))
    frame.write_parquet(path / "ranks.parquet")
    metrics = json.loads((path / "metrics.json").read_text())
    metrics["full"]["overall"] = {"n": 2, "HR@1": 0.5}  # one of two tied items comes first half of the time
    (path / "metrics.json").write_text(json.dumps(metrics))
    results.study(metric="HR@1")
    assert rows_of(load_board(results.folder))["none"]["values"]["full"]["overall"]["HR@1"]["mean"] == 0.5


def test_one_user_and_one_method(results) -> None:
    results.cell("a", np.array([3]))
    board = load_board(results.folder)
    tests = board["rankings"][0]["tests"]["full"]["NDCG@10"]
    assert (tests["best"], tests["tier"], tests["pairs"]) == ("none", [], [])


def test_unknown_metric_suggests(toy) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean 'NDCG@10'"):
        load_board(toy.folder, metric="NCDG@10")


def test_no_folder_and_no_cells(tmp_path) -> None:
    with pytest.raises(MissingFileError):
        load_board(tmp_path / "absent")
    with pytest.raises(DataError, match="no finished cell"):
        load_board(tmp_path)


def test_another_metric_is_tested_and_kept(toy) -> None:
    load_board(toy.folder)
    board = load_board(toy.folder, metric="HR@5")
    assert set(board["rankings"][0]["tests"]["full"]) == {"NDCG@10", "HR@5"}
    assert load_board(toy.folder) == board
    assert table_of(board, metric="HR@5").columns[3].head == "HR@5"
    assert table_of(board, protocol="sampled").title == "sampled ranking by NDCG@10"


def test_the_cache_is_used_until_something_changes(toy) -> None:
    first = load_board(toy.folder)
    marked = first | {"name": "from the cache"}
    hashing.write(toy.folder / FILE, marked)
    assert load_board(toy.folder)["name"] == "from the cache"
    toy.study(hypotheses=[])
    assert load_board(toy.folder)["name"] == "toy_spec"
    (toy.folder / FILE).write_text("{damaged")
    assert load_board(toy.folder)["name"] == "toy_spec"


def test_a_cached_board_needs_no_numeric_library(toy) -> None:
    load_board(toy.folder)
    heavy = "numpy scipy statsmodels torch polars pydantic"
    script = (
        "import sys, pathlib\n"
        "from grasp_bench.report.board import load_board\n"
        "from grasp_bench.report.layout import lay_out\n"
        "from grasp_bench.report.renderers.terminal import render\n"
        f"board = load_board(pathlib.Path({str(toy.folder)!r}))\n"
        "render(board, lay_out(board))\n"
        f"print([name for name in {heavy!r}.split() if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_short_view_has_rankings_and_answers(toy) -> None:
    kinds = [section.kind for section in headline(lay_out(load_board(toy.folder))).sections]
    assert kinds == ["ranking", "claims"]


def test_beyond_accuracy_keeps_to_the_cutoff(toy) -> None:
    section = next(s for s in lay_out(load_board(toy.folder)).sections if s.title == "Beyond accuracy")
    assert [column.head for column in section.tables[0].columns] == ["method", "coverage@10", "gini@10"]


def test_study_round_trip(tmp_path) -> None:
    experiment = Experiment.model_validate(
        {
            "name": "x",
            "dataset": {"source": "demo", "protocol": {"also_full_ranking": False, "cutoffs": [5, 10]}},
            "hypotheses": [{"better": "grasp", "than": "none", "protocol": "sampled"}],
        }
    )
    cell = {"slug": "a", "seed": 1, "dataset": "demo", "backbone": "sasrec", "enhancer": "none", "more": 1}
    write_study(tmp_path, experiment, [cell], {"demo": {"users": 3}})
    study = read_study(tmp_path)
    assert (study.name, study.rank_by, study.metric) == ("x", "sampled", "NDCG@10")
    assert dict(study.hypotheses[0])["better"] == "grasp"
    assert "more" not in study.planned[0]
    (tmp_path / "study.json").write_text('{"name": "x"}')
    with pytest.raises(DataError, match="description"):
        read_study(tmp_path)


def test_who_saw_held_out_items_has_values_and_no_place(toy) -> None:
    leaks = ["text.users (scope: all)"]
    toy.planned.clear()
    for seed in (42, 43, 44):
        path = toy.cell(f"sasrec-grasp-profiles-s{seed}", RANKS[:1].repeat(300), seed=seed, enhancer="grasp",
                        ablation="profiles", leaks=leaks)  # fmt: skip
        assert json.loads((path / "cell.json").read_text())["leaks"] == leaks
    for path in sorted(toy.folder.glob("*/cell.json")):
        toy.plan(json.loads(path.read_text()))
    toy.study(
        planned=toy.planned[3:],
        hypotheses=[
            {"better": "grasp/profiles", "than": "grasp", "metric": "NDCG@10", "protocol": "full"},
        ],
    )
    board = load_board(toy.folder)
    tests = board["rankings"][0]["tests"]["full"]["NDCG@10"]
    assert tests["best"] == "grasp/softmax" or tests["best"] == "grasp"
    assert "grasp/profiles" not in [pair["label"] for pair in tests["pairs"]]
    table = table_of(board)
    assert [row[0].text for row in table.rows] == ["–", "1", "2", "3"]
    assert table.rows[0][1].text == "grasp/profiles †"
    assert [row[3].mark for row in table.rows] == ["", "best", "second", ""]
    assert any("held-out" in note and leaks[0] in note for note in table.notes)
    assert board["claims"][0]["verdict"] == "supported"
    assert board["claims"][0]["words"].endswith("grasp/profiles read text made from held-out items")
