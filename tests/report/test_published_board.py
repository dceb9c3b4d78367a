"""Published figures on a board: matched, compared, told apart from a replication, in every format."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from results_builder import Results, metric_values, sampled, settings

from grasp_bench.core.errors import DataError
from grasp_bench.report.board import load_board
from grasp_bench.report.group_membership import read_membership, write_membership
from grasp_bench.report.layout import lay_out
from grasp_bench.report.page.render import write_report
from grasp_bench.report.renderers.registry import RENDERERS
from grasp_bench.report.study import read_study, write_study
from grasp_bench.spec.loading import load
from grasp_bench.stats.intervals import figure_interval
from grasp_bench.stats.trainings import Trainings

USERS = 200


def published(rows: list[dict[str, Any]], **facts: Any) -> dict[str, Any]:
    entry = {"name": "Toys", "facts": {"users": USERS, "items": 90} | facts, "rows": rows}
    return {
        "source": {"title": "A paper", "reference": "arXiv:1", "license": "CC BY 4.0"},
        "settings": {"dataset.protocol.negatives": 100, "model.max_len": 100},
        "seeds": [42, 43],
        "notes": ["Told by the file."],
        "datasets": {"toy": entry},
    }


def row(
    enhancer: str, group: str = "overall", ablation: str | None = None, **figures: float
) -> dict[str, Any]:
    table = "Table 3" if group != "overall" else "Table 4" if ablation else "Table 2"
    return {
        "table": table, "backbone": "sasrec", "enhancer": enhancer, "ablation": ablation, "group": group,
        "figures": {name.replace("_", "@"): value for name, value in figures.items()},
    }  # fmt: skip


@pytest.fixture
def ranks(results: Results) -> dict[int, np.ndarray]:
    """Two seeds of two methods; full ranks of `none` by seed."""
    rng = np.random.default_rng(5)
    made = {}
    for seed in (42, 43):
        made[seed] = rng.integers(1, 300, USERS)
        results.cell(f"none-{seed}", made[seed], seed=seed, settings=settings(max_len=50))
        results.cell(f"grasp-{seed}", rng.integers(1, 200, USERS), seed=seed, enhancer="grasp",
                     settings=settings(max_len=50))  # fmt: skip
    return made


def beside(results: Results, rows: list[dict[str, Any]], **facts: Any) -> Any:
    results.study(published=published(rows, **facts), cards={"toy": {"users": USERS, "items": 90}})
    return load_board(results.folder)["rankings"][0]["published"]


def test_ours_theirs_difference_and_interval(results: Results, ranks: dict[int, np.ndarray]) -> None:
    values = [metric_values(sampled(ranks[seed]))["NDCG@10"] for seed in (42, 43)]
    expected = figure_interval(Trainings.of(values))
    inside, outside = expected.low + 1e-6, expected.high + 1e-6
    found = beside(results, [row("none", NDCG_10=inside, HR_10=0.9)])
    first, second = found["figures"]
    assert (first["label"], first["table"], first["metric"], first["seeds"]) == (
        "none",
        "Table 2",
        "NDCG@10",
        [42, 43],
    )
    assert first["ours"] == pytest.approx(np.mean([value.mean() for value in values]))
    assert (first["low"], first["high"]) == pytest.approx((expected.low, expected.high))
    assert first["difference"] == pytest.approx(first["ours"] - inside)
    assert (first["inside"], second["inside"]) == (True, False)
    assert beside(results, [row("none", NDCG_10=outside)])["figures"][0]["inside"] is False


def test_ablations_and_methods_without_a_row(results: Results, ranks: dict[int, np.ndarray]) -> None:
    for seed in (42, 43):
        results.cell(f"soft-{seed}", np.ones(USERS, int), seed=seed, enhancer="grasp", ablation="softmax")
    rows = [
        row("grasp", NDCG_10=0.4),
        row("grasp", ablation="softmax", NDCG_10=0.3),
        row("llmesr", NDCG_10=0.35),
    ]
    found = beside(results, rows)
    assert [(f["label"], f["table"], f["theirs"]) for f in found["figures"]] == [
        ("grasp", "Table 2", 0.4), ("grasp/softmax", "Table 4", 0.3),
    ]  # fmt: skip
    assert found["without_ours"] == ["sasrec+llmesr"]


def test_one_seed_has_an_interval_of_users_alone(results: Results, ranks: dict[int, np.ndarray]) -> None:
    (results.folder / "none-43" / "cell.json").unlink()
    figure = beside(results, [row("none", NDCG_10=0.2)])["figures"][0]
    expected = figure_interval(Trainings.of([metric_values(sampled(ranks[42]))["NDCG@10"]]))
    assert (figure["seeds"], figure["inside"]) == ([42], None)
    assert (figure["low"], figure["high"]) == pytest.approx((expected.low, expected.high))


def test_groups_have_intervals_once_their_users_are_known(
    results: Results, ranks: dict[int, np.ndarray]
) -> None:
    rows = [row("none", group="head_user", NDCG_10=0.2)]
    without = beside(results, rows)["figures"][0]
    assert (without["low"], without["inside"]) == (None, None)
    head = np.arange(USERS) % 2 == 0  # as the results builder has it
    shuffled = np.random.default_rng(0).permutation(USERS)
    groups = {"overall": np.ones(USERS, bool), "head_user": head[shuffled]}
    write_membership(results.folder, "p1", shuffled.astype(np.int32), groups)
    figure = beside(results, rows)["figures"][0]
    values = [metric_values(sampled(ranks[seed]))["NDCG@10"][::2] for seed in (42, 43)]
    expected = figure_interval(Trainings.of(values))
    assert (figure["ours"], figure["low"], figure["high"]) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )


def test_groups_of_other_users_are_refused(results: Results, ranks: dict[int, np.ndarray]) -> None:
    odd = np.arange(USERS) % 2 == 1
    write_membership(results.folder, "p1", np.arange(USERS, dtype=np.int32), {"head_user": odd})
    with pytest.raises(DataError, match=r"head_user .* by ranks.parquet and the groups' file"):
        beside(results, [row("none", group="head_user", NDCG_10=0.2)])


def test_a_damaged_file_of_groups_is_named(tmp_path: Path) -> None:
    users, groups = np.array([2, 0, 1], dtype=np.int32), {"new": np.array([True, False, False])}
    path = write_membership(tmp_path, "p", users, groups)
    found = read_membership(tmp_path, "p")
    assert (found[0].tolist(), found[1]["new"].tolist()) == ([0, 1, 2], [False, False, True])
    path.write_text("no")
    with pytest.raises(DataError, match="groups-p"):
        read_membership(tmp_path, "p")
    assert read_membership(tmp_path, "absent") is None


def test_what_differs_is_told(results: Results, ranks: dict[int, np.ndarray]) -> None:
    rows = [row("none", NDCG_10=0.2), row("none", group="head_user", NDCG_10=0.2)]
    beside(results, rows, users=999, head_user_from=9, note="A footnote.")
    text = RENDERERS.get("md")(board := load_board(results.folder), lay_out(board))
    assert (
        "NOT A REPLICATION, the data differ: 999 users and 90 items there, 200 users and 90 items here."
        in text
    )
    assert r"model.max\_len 100 there, 50 here" in text
    assert "negatives 100 there" not in text
    for word in ("A paper, arXiv:1, CC BY 4.0", "Table 2, Table 3", "Told by the file.", "A footnote.",
                 "≈ theirs lies in our 95 % interval", "head users"):  # fmt: skip
        assert word in text


def test_a_misprinted_count_is_not_another_dataset(results: Results, ranks: dict[int, np.ndarray]) -> None:
    found = beside(results, [row("none", NDCG_10=0.2)], users=USERS - 5, actual_users=USERS)
    assert found["other_data"] is False


def test_the_same_data_are_said_to_be_the_same(results: Results, ranks: dict[int, np.ndarray]) -> None:
    beside(results, [row("none", NDCG_10=0.2)])
    text = RENDERERS.get("rich")(board := load_board(results.folder), lay_out(board))
    assert "Data: 200 users and 90 items, there as here." in text
    assert "REPLICATION" not in text


@pytest.mark.parametrize("name", ["rich", "md", "html", "latex", "csv", "json"])
def test_every_format_shows_theirs(results: Results, ranks: dict[int, np.ndarray], name: str) -> None:
    beside(results, [row("none", NDCG_10=0.24681, HR_10=0.5)])
    board = load_board(results.folder)
    text = RENDERERS.get(name)(board, lay_out(board))
    assert "0.24681" in text if name in ("csv", "json") else "24.68" in text


def test_csv_puts_them_on_the_line_of_the_mean(results: Results, ranks: dict[int, np.ndarray]) -> None:
    figure = beside(results, [row("none", NDCG_10=0.25)])["figures"][0]
    board = load_board(results.folder)
    rows = list(csv.DictReader(io.StringIO(RENDERERS.get("csv")(board, lay_out(board)))))
    mine = [each for each in rows if each["published"]]
    assert [(r["method"], r["protocol"], r["group"], r["metric"], r["seed"]) for r in mine] == [
        ("none", "sampled", "overall", "NDCG@10", "mean")
    ]
    assert (float(mine[0]["published"]), float(mine[0]["low"])) == (0.25, figure["low"])


def test_nothing_published_nothing_shown(toy: Results) -> None:
    board = load_board(toy.folder)
    assert board["rankings"][0]["published"] is None
    assert "published" not in RENDERERS.get("md")(board, lay_out(board))


def test_a_cached_board_notices_new_figures_and_groups(
    results: Results, ranks: dict[int, np.ndarray]
) -> None:
    rows = [row("none", group="head_user", NDCG_10=0.2)]
    assert beside(results, rows)["figures"][0]["low"] is None
    head = np.arange(USERS) % 2 == 0
    write_membership(results.folder, "p1", np.arange(USERS, dtype=np.int32), {"head_user": head})
    assert load_board(results.folder)["rankings"][0]["published"]["figures"][0]["low"] is not None


def sourced(label: str, ranking: str, ours: dict[str, str], **figures: float) -> dict[str, Any]:
    named = dict.fromkeys(("backbone", "enhancer", "control", "loss")) | ours
    shares = {name.replace("_", "@"): value for name, value in figures.items()}
    source = {"title": f"On {label}", "reference": f"arXiv:{label}", "url": None}
    return {"label": label, "source": source, "ranking": ranking, "figures": shares, **named}


@pytest.fixture
def rows_of_many(results: Results, ranks: dict[int, np.ndarray]) -> Any:
    """Two published rows beside one of ours, one beside a control, one alone."""
    control = {"kind": "control", "name": "markov", "backbone": None, "enhancer": None, "seed": None}
    results.cell("markov", np.full(USERS, 3), **control)
    none = {"backbone": "sasrec", "enhancer": "none"}
    content = published([])
    content["source"] = None
    content["datasets"]["toy"]["sourced"] = [
        sourced("First", "full", none | {"loss": "softmax"}, NDCG_10=0.31, HR_10=0.62),
        sourced("Second", "sampled", none, NDCG_10=0.41),
        sourced("Third", "full", {"control": "markov"}, NDCG_10=0.25),
        sourced("Fourth", "full", {}, NDCG_10=0.13579, HR_5=0.24),
        sourced("Fifth", "full", {"backbone": "gru4rec", "enhancer": "none"}, NDCG_10=0.11),
    ]
    results.study(published=content, cards={"toy": {"users": USERS, "items": 90}})
    return load_board(results.folder)


def test_rows_stand_beside_ours_in_their_own_ranking(rows_of_many: Any, ranks: dict[int, np.ndarray]) -> None:
    entries = {each["published"]: each for each in rows_of_many["rankings"][0]["published"]["sourced"]}
    full = [metric_values(ranks[seed])["NDCG@10"] for seed in (42, 43)]
    among = [metric_values(sampled(ranks[seed]))["NDCG@10"] for seed in (42, 43)]
    for name, values, theirs in (("First", full, 0.31), ("Second", among, 0.41)):
        interval, figure = figure_interval(Trainings.of(values)), entries[name]["figures"][0]
        assert (entries[name]["label"], figure["table"]) == ("none", f"arXiv:{name}")
        assert (figure["ours"], figure["low"], figure["high"]) == pytest.approx(
            (interval.mean, interval.low, interval.high)
        )
        assert figure["difference"] == pytest.approx(interval.mean - theirs)
    assert entries["Third"]["label"] == "markov"
    assert entries["Third"]["figures"][0]["ours"] == pytest.approx(0.5)  # rank 3: 1 / log2(4)
    for name in ("Fourth", "Fifth"):  # no method of ours, and one that is not on this board
        assert (entries[name]["label"], entries[name]["figures"]) == (None, [])


def test_rows_are_laid_out_by_ranking_and_cutoff(rows_of_many: Any) -> None:
    section = next(s for s in lay_out(rows_of_many).sections if s.title.startswith("Beside the published"))
    assert [table.title for table in section.tables] == [
        "Published rows, each from its source (full ranking)",
        "Published rows at 5, each from its source (full ranking)",
        "Published rows, each from its source (sampled ranking)",
    ]
    full, at_five, among = ([[entry.text for entry in row] for row in t.rows] for t in section.tables)
    assert [row[0] for row in full] == ["First", "Third", "Fourth", "Fifth"]
    assert full[0][1:5] == ["arXiv:First", "softmax", "none", "2"]
    assert full[0][6] == "31.00"
    assert full[0][9] == "62.00"
    assert full[2][2:] == ["–", "–", "–", "–", "13.58", "–", "–", "–", "–"]
    assert at_five == [["Fourth", "arXiv:Fourth", "–", "–", "–", "–", "24.00", "–"]]
    assert [row[0] for row in among] == ["Second"]
    assert "arXiv:Third: On Third." in section.lines


@pytest.mark.parametrize("name", ["rich", "md", "html", "latex", "csv", "json"])
def test_every_format_shows_rows_of_many_sources(rows_of_many: Any, name: str) -> None:
    text = RENDERERS.get(name)(rows_of_many, lay_out(rows_of_many))
    assert "0.13579" in text if name in ("csv", "json") else "13.58" in text
    assert "Fourth" in text


def test_the_page_draws_such_rows_by_ranking(results: Results, rows_of_many: Any, tmp_path: Path) -> None:
    write_report(results.folder, tmp_path / "page.html", tmp_path)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for title in ("NDCG@10, ours and published, full ranking", "HR@10, ours and published, full ranking",
                  "NDCG@10, ours and published, sampled ranking"):  # fmt: skip
        assert f">{title}</figcaption>" in text
    assert "First, arXiv:First, softmax, published: 31.00" in text
    assert "HR@10, ours and published, sampled ranking" not in text


def test_csv_has_a_line_for_each_figure_of_such_a_row(rows_of_many: Any) -> None:
    text = RENDERERS.get("csv")(rows_of_many, lay_out(rows_of_many))
    mine = [line for line in csv.DictReader(io.StringIO(text)) if line["kind"] == "published"]
    assert [(line["method"], line["protocol"], line["metric"], float(line["value"])) for line in mine][
        :3
    ] == [
        ("First, softmax, arXiv:First", "full", "NDCG@10", 0.31),
        ("First, softmax, arXiv:First", "full", "HR@10", 0.62),
        ("Second, arXiv:Second", "sampled", "NDCG@10", 0.41),
    ]


SPEC = """\
name: x
dataset: {source: %s}
published: {file: p.yaml, dataset: Toys}
"""
FIGURES = """\
source: {title: T, reference: R}
datasets: {Toys: {users: 3, items: 2}}
overall: {Toys: {sasrec: {none: {NDCG@10: 12.5}}}}
"""


@pytest.mark.parametrize(("source", "names"), [("amazon-beauty", ["amazon-beauty"]), ("demo", [])])
def test_a_study_holds_what_its_spec_names(tmp_path: Path, source: str, names: list[str]) -> None:
    """Nothing stands beside a generated dataset: a rehearsal is no result."""
    (tmp_path / "p.yaml").write_text(FIGURES)
    (tmp_path / "x.yaml").write_text(SPEC % source)
    loaded = load(tmp_path / "x.yaml")
    cell = {"slug": "a", "seed": 1, "dataset": source, "backbone": "sasrec", "enhancer": "none"}
    write_study(tmp_path, loaded.experiment, [cell], published=loaded.published)
    found = read_study(tmp_path).published
    assert list(found["datasets"]) == names
    if names:
        assert found["datasets"][source]["rows"][0]["figures"] == {"NDCG@10": 0.125}
    json.dumps(found, allow_nan=False)
