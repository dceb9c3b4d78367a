"""Several datasets on one board: against ranks and tests of scipy, and what is said where nothing may be."""

from __future__ import annotations

import csv
import html
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_builder import Results, control, metric_values
from scipy import stats

from grasp_bench.report.board import load_board
from grasp_bench.report.layout import headline, lay_out
from grasp_bench.report.page.render import write_report
from grasp_bench.report.renderers.registry import RENDERERS
from grasp_bench.report.sections.across import letter

SEEDS, USERS, METRIC = (1, 2, 3), 240, "NDCG@10"
GAINS = {"none": 0, "llminit": 9, "grasp": 18}


def lists(dataset: int, seed: int, gain: int) -> np.ndarray:
    """Ranks of one training: far apart where gains are, a little different by seed."""
    base = np.random.default_rng(dataset).integers(18, 30, USERS)
    return np.maximum(1, base - gain + np.random.default_rng([dataset, seed]).integers(0, 2, USERS))


def add(results: Results, dataset: int, method: str, gain: int, seed: int, **changes: Any) -> None:
    name = f"d{dataset}"
    identity = {
        "dataset": name, "protocol_hash": f"p{dataset}", "variant": {"dataset.source": name}, "seed": seed,
        "enhancer": method,
    }  # fmt: skip
    results.cell(f"{method}-{name}-{seed}", lists(dataset, seed, gain), **identity | changes)


def on_datasets(results: Results, count: int, gains: dict[str, int] = GAINS) -> None:
    """Every method on `d0` to `d<count - 1>`, and a control that is better than all."""
    for dataset in range(count):
        for seed in SEEDS:
            for method, gain in gains.items():
                add(results, dataset, method, gain, seed)
        place = {"dataset": f"d{dataset}", "protocol_hash": f"p{dataset}"}
        variant = {"variant": {"dataset.source": f"d{dataset}"}}
        results.cell(f"pop-{dataset}", np.ones(USERS, int), **control("popularity") | place | variant)


def across(results: Results) -> Any:
    results.study()
    return load_board(results.folder)["across"]


def rows_of(found: Any) -> dict[str, Any]:
    return {row["label"]: row for row in found["rows"]}


def mean(dataset: int, gain: int) -> float:
    return float(np.mean([metric_values(lists(dataset, seed, gain))[METRIC].mean() for seed in SEEDS]))


def text_of(results: Results, form: str = "rich") -> str:
    board = load_board(results.folder)
    return RENDERERS.get(form)(board, lay_out(board))


@pytest.fixture
def six(results: Results) -> Results:
    """Six datasets; on the last one llminit is above grasp."""
    on_datasets(results, 5)
    for seed in SEEDS:
        for method, gain in {**GAINS, "llminit": 18, "grasp": 9}.items():
            add(results, 5, method, gain, seed)
    results.study()
    return results


def test_means_places_and_tests_are_those_of_scipy(six: Results) -> None:
    found = across(six)
    gains = [{**GAINS, **({"llminit": 18, "grasp": 9} if d == 5 else {})} for d in range(6)]
    means = np.array([[mean(d, gains[d][method]) for method in GAINS] for d in range(6)])
    places = stats.rankdata(-means, axis=1)
    rows = rows_of(found)
    assert [row["label"] for row in found["rows"]] == ["grasp", "llminit", "none", "popularity"]
    assert (found["metric"], found["protocol"]) == (METRIC, "full")
    for column, method in enumerate(GAINS):
        assert rows[method]["means"] == pytest.approx(means[:, column].tolist())
        assert rows[method]["places"] == places[:, column].tolist()
        assert rows[method]["mean_rank"] == pytest.approx(places[:, column].mean())
    reference = stats.friedmanchisquare(*means.T)
    assert found["friedman"]["chi_square"] == pytest.approx(reference.statistic)
    assert found["friedman"]["p"] == pytest.approx(reference.pvalue)
    assert found["critical_difference"] == pytest.approx(2.343 * np.sqrt(12 / 36), abs=1e-3)
    assert found["groups"] == [["grasp", "llminit"], ["llminit", "none"]]  # 1.17, 1.83 and 3
    z = (3 - 7 / 6) / np.sqrt(12 / 36)
    against = {pair["label"]: pair for pair in found["against_best"]}
    assert list(against) == ["llminit", "none"]
    assert against["none"]["z"] == pytest.approx(z)
    assert against["none"]["p_holm"] == pytest.approx(3 * 2 * stats.norm.sf(z)), "one of three pairs"


def test_pairs_are_counted_on_every_dataset(six: Results) -> None:
    rows = rows_of(across(six))
    counted = {label: (row["won"], row["tied"], row["lost"]) for label, row in rows.items()}
    assert counted == {"grasp": (11, 0, 1), "llminit": (7, 0, 5), "none": (0, 0, 12), "popularity": (0, 0, 0)}


def test_what_no_test_decides_is_a_tie_and_is_said(results: Results) -> None:
    """On d0 grasp was trained once."""
    on_datasets(results, 3, {"none": 0, "llminit": 9})
    for dataset in range(3):
        for seed in SEEDS[:1] if dataset == 0 else SEEDS:
            add(results, dataset, "grasp", 18, seed)
    rows = rows_of(across(results))
    assert {name: (row["won"], row["tied"], row["lost"]) for name, row in rows.items() if row["tied"]} == {
        "grasp": (4, 2, 0), "llminit": (3, 1, 2), "none": (0, 1, 5),
    }  # fmt: skip
    assert rows["grasp"]["undecided"] == 2
    assert "Not decided, and counted as tied: 2 comparisons" in text_of(results)


@pytest.mark.parametrize("count", [2, 4])
def test_few_datasets_support_no_claim(results: Results, count: int) -> None:
    on_datasets(results, count)
    found = across(results)
    assert [row["mean_rank"] for row in found["rows"]] == [1, 2, 3, None]
    assert (found["friedman"], found["critical_difference"]) == (None, None)
    assert (found["groups"], found["against_best"]) == ([], [])
    text = text_of(results)
    assert f"No claim across datasets: {count} datasets are too few, it takes 5 or more." in text
    assert not re.search("Friedman|Nemenyi|share a letter|against the best, grasp", text)


def test_equal_methods_are_not_told_apart(results: Results) -> None:
    """Who is first changes from dataset to dataset."""
    for dataset in range(6):
        for seed in SEEDS:
            for place, method in enumerate(GAINS):
                add(results, dataset, method, 9 * ((place + dataset) % 3), seed)
    found = across(results)
    assert found["friedman"]["p"] == pytest.approx(1)
    assert (found["critical_difference"], found["groups"], found["against_best"]) == (None, [], [])
    assert "Over 6 datasets the methods are not told apart" in text_of(results)


def test_two_methods_have_a_table_and_no_verdict(results: Results) -> None:
    on_datasets(results, 6, {"none": 0, "grasp": 18})
    found = across(results)
    assert found["friedman"] is None
    assert "3 methods or more, and 2" in found["no_verdict"]
    assert [row["label"] for row in found["rows"]] == ["grasp", "none", "popularity"]


def test_who_is_not_ranked_is_named(six: Results) -> None:
    """A method that d0 lacks, one that has seen held-out items, one under noise, and another protocol."""
    noise = {"kind": "permute", "side": "both", "when": "before_retrieval", "rate": 0.2}
    for seed in SEEDS:
        for dataset in range(1, 6):
            add(six, dataset, "llmesr", 12, seed)
        for dataset in range(6):
            add(six, dataset, "leaky", 17, seed, leaks=["text.users"] if dataset == 2 else [])
            add(six, dataset, "noisy", 17, seed, enhancer="grasp", noise=noise)
        settings = {"protocol": {"ties": "mean", "negatives": 5}}
        add(six, 9, "none", 0, seed, settings=settings)
    found = across(six)
    rows = rows_of(found)
    assert set(rows) == {*GAINS, "llmesr", "popularity"}
    assert (rows["llmesr"]["mean_rank"], rows["llmesr"]["means"][0]) == (None, None)
    assert [rows[name]["mean_rank"] for name in GAINS] == [3, pytest.approx(11 / 6), pytest.approx(7 / 6)]
    assert found["datasets"] == [f"d{k}" for k in range(6)]
    assert {out["label"]: out["reason"] for out in found["left_out"]} == {
        "llmesr": "no figure on d0",
        "leaky": "its text was made from held-out items (d2)",
        "the ranking of d9 (p9)": "another protocol or split",
    }
    text = text_of(six, "md")
    assert "Not ranked: llmesr (no figure on d0)." in text
    assert "popularity °" in text


def test_seeds_that_are_missing_are_named(six: Results) -> None:
    (six.folder / "grasp-d3-2" / "cell.json").unlink()
    assert "Means over fewer seeds than planned: grasp on d3." in text_of(six)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        *((form, "Across 6 datasets (Friedman") for form in ("rich", "md", "html", "latex")),
        ("csv", ",across datasets,mean rank by NDCG@10,mean,1.16"),
        ("json", '"across": {'),
        ("svg", "Over 6 datasets the methods differ"),
    ],
)
def test_every_form_has_it(six: Results, form: str, words: str) -> None:
    text = text_of(six, form).replace("&#160;", " ")
    assert words in html.unescape(text)


def test_one_dataset_has_no_section(toy: Results) -> None:
    board = load_board(toy.folder)
    assert board["across"] is None
    assert not [section for section in lay_out(board).sections if "cross" in section.title]
    assert "across datasets" not in RENDERERS.get("csv")(board, lay_out(board))


def test_the_table_reads_as_the_board(six: Results) -> None:
    board = load_board(six.folder)
    (section,) = [each for each in headline(lay_out(board)).sections if each.title == "Across datasets"]
    table = section.tables[0]
    heads = [column.head for column in table.columns]
    assert heads == ["method", "d0", "d1", "d2", "d3", "d4", "d5", "mean rank", "won / tied / lost", "group"]
    by_label = {row[0].text: row for row in table.rows}
    assert by_label["grasp"][1].text == f"{100 * mean(0, 18):.2f} (1)"
    assert [by_label["llminit"][k].mark for k in (1, 6)] == ["second", "best"]
    assert [by_label[name][-1].text for name in (*GAINS, "popularity °")] == ["b", "ab", "a", "–"]
    rows = list(csv.DictReader(io.StringIO(RENDERERS.get("csv")(board, lay_out(board)))))
    mine = {(r["method"], r["metric"]): float(r["value"]) for r in rows if r["group"] == "across datasets"}
    assert mine["none", "mean rank by NDCG@10"] == 3
    assert mine["llminit", "won by NDCG@10"] == 7
    assert len(mine) == 12


def test_the_page_draws_it_where_there_is_a_verdict(six: Results, tmp_path: Path) -> None:
    page = write_report(six.folder, tmp_path / "page.html", tmp_path).read_text(encoding="utf-8")
    section = page[page.index('<section id="across"') :].partition("</section>")[0]
    assert "Over 6 datasets the methods differ" in section
    assert 'aria-label="Mean ranks over 6 datasets by NDCG@10, full ranking"' in section
    tips = set(re.findall(r'data-tip="([^"]*)"', section))
    assert tips == {
        "grasp: mean rank 1.17, group a", "llminit: mean rank 1.83, group ab",
        "none: mean rank 3.00, group b", "not told apart: grasp, llminit", "not told apart: llminit, none",
        "critical difference: 1.35",
    }  # fmt: skip


def test_the_page_draws_nothing_without_one(results: Results, tmp_path: Path) -> None:
    on_datasets(results, 3)
    results.study()
    page = write_report(results.folder, tmp_path / "page.html", tmp_path).read_text(encoding="utf-8")
    section = page[page.index('<section id="across"') :].partition("</section>")[0]
    assert "No claim across datasets" in section
    assert 'class="best"' not in section
    assert "<svg" not in section
    assert "<table" in section


def test_letters_do_not_run_out() -> None:
    assert [letter(index) for index in (0, 1, 25, 26, 27)] == ["a", "b", "z", "a1", "b1"]
