"""The report page as text: what is on it, where its numbers are from, and how it fails."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from results_builder import Results, metric_values, three_methods
from scipy import stats
from studies_written import EVIL, LONG, tuning, write_studies
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core import hashing
from grasp_bench.core.errors import DataError, GraspBenchError, MissingExtraError
from grasp_bench.report.charts.drawing import to_svg
from grasp_bench.report.charts.row_charts import Bar, bars
from grasp_bench.report.document import Entry
from grasp_bench.report.page.render import order_of, write_report
from grasp_bench.report.studies import read_findings

STUDY_SECTIONS = ("tuning", "attention", "latency", "freshness", "probe")
ALWAYS = ("found", "hypotheses", "board", "provenance")


@dataclass
class Read(HTMLParser):
    """What a page says: tables by caption, sections, attributes of every tag."""

    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    sections: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    _rows: list[list[str]] = field(default_factory=list)
    _caption: str = ""
    _inside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)
        if tag == "section":
            self.sections.append(str(dict(attrs)["id"]))
        elif tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "caption" in self._inside:
            self._caption += data
        elif {"td", "th"} & set(self._inside):
            self._rows[-1][-1] += data


def read(path: Path) -> Read:
    page = Read()
    page.feed(path.read_text(encoding="utf-8"))
    return page


@pytest.fixture(scope="module")
def page(whole_page: Path) -> Read:
    return read(whole_page)


def test_everything_that_there_is_has_a_section(page: Read, whole_page: Path) -> None:
    expected = {*ALWAYS, *STUDY_SECTIONS, "ablations", "noise", "groups", "data", "missing"}
    assert whole_page.name == "toy_spec.report.html"
    assert set(page.sections) == expected
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert [f"#{name}" for name in page.sections] == [link for link in links if link != "#main"]


def test_what_is_not_there_has_no_section(toy: Results, tmp_path: Path) -> None:
    sections = read(write_report(toy.folder, tmp_path / "page.html", tmp_path)).sections
    assert set(sections) == {*ALWAYS, "ablations", "groups", "data"}


def test_a_page_loads_nothing_and_is_small(page: Read, whole_page: Path) -> None:
    text = whole_page.read_text(encoding="utf-8")
    assert len(text.encode()) < 1_000_000
    assert not {tag for tag, _ in page.tags} & {"img", "link", "iframe", "object", "base", "use", "image"}
    assert all(attrs["href"].startswith("#") for _, attrs in page.tags if attrs.get("href"))
    assert not [tag for tag, attrs in page.tags if "src" in attrs or any(n.startswith("on") for n in attrs)]
    assert "url(" not in text
    assert "@import" not in text
    assert [tag for tag, _ in page.tags].count("script") == 1


def test_strange_names_stay_text(page: Read, whole_page: Path) -> None:
    text = whole_page.read_text(encoding="utf-8")
    assert "<script>window.hit" not in text
    assert "<img" not in text
    assert any(EVIL in line for line in page.text)
    assert any(LONG in row[1] for row in page.tables["full ranking by NDCG@10"])
    labels = [attrs["aria-label"] for tag, attrs in page.tags if tag == "svg"]
    assert any(label and EVIL in label for label in labels)


def test_pictures_have_names_and_headings_an_order(page: Read) -> None:
    pictures = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(pictures) > 40
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in pictures)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_board_and_ablations_have_the_numbers_of_the_ranks(whole: Path, page: Read) -> None:
    def users(name: str) -> np.ndarray:
        import polars as pl

        ranks = [pl.read_parquet(whole / f"{name}-{seed}" / "ranks.parquet") for seed in (42, 43)]
        values = [metric_values(frame["full_better"].to_numpy() + 1)["NDCG@10"] for frame in ranks]
        return np.mean(values, axis=0)

    ours = {row[1]: row for row in page.tables["full ranking by NDCG@10"]}
    assert ours["none"][3].startswith(f"{100 * users('none').mean():.2f} ±")
    head, row = page.tables["NDCG@10 of ablations less their base, full ranking"]
    cells = dict(zip(head, row, strict=True))
    difference = users("grasp-soft") - users("grasp-0.0")
    assert (cells["ablation"], cells["base"]) == ("grasp/softmax", "grasp (noise=0)")
    assert cells["difference [95 % CI]"].startswith(f"{100 * difference.mean():+.2f} [")
    low, high = map(float, re.findall(r"[-+][\d.]+", cells["difference [95 % CI]"])[1:])
    normal = stats.norm.interval(0.95, 100 * difference.mean(), 100 * stats.sem(difference))
    assert (low, high) == pytest.approx(normal, abs=0.25)


def test_studies_have_their_numbers_in_tables(whole: Path, page: Read) -> None:
    found = {name: json.loads((whole / f"{name}.json").read_text()) for name in STUDY_SECTIONS}
    curve = found["tuning"]["curves"][0]
    table = page.tables["NDCG@10 against index.num_neighbours, with model.embedding_dim = 64"]
    assert [row[0] for row in table[1:]] == [str(point["x"]) for point in curve["points"]]
    assert [row[1][:5] for row in table[1:]] == [f"{100 * point['mean']:.2f}" for point in curve["points"]]
    grid = page.tables["NDCG@10 by index.num_neighbours and model.embedding_dim"]
    assert grid[2][3] == "–"
    assert grid[1][1] == f"{100 * found['tuning']['contours'][0]['z'][0][0]:.2f}"
    weights = page.tables["Weights by group, grasp, seed 42"]
    assert len(weights) == 1 + len(found["attention"]["cells"][0]["weights"])
    assert weights[1][3] == f"{found['attention']['cells'][0]['weights'][0]['mean']:.4f}"
    auc = page.tables["Do weights tell corrupted context from clean?"]
    assert [row[5] for row in auc[1:]] == ["0.5000", "0.5600", "0.6200"]
    request = page.tables["One request, the whole catalogue scored"]
    assert request[1][4:7] == ["1.100", "1.600", "2.400"]
    assert request[2][4:7] == ["1.100", "–", "–"]  # five cold requests have no 99th percentile
    ages = page.tables["NDCG@10 by age of profiles, full ranking"]
    assert ages[2][3].startswith("33.80 [")
    base, states = page.tables["AUC and log-loss of click prediction"][1:3]
    assert base[:4] == ["base", "logistic", "0.6200 [0.6100, 0.6300]", "–"]
    assert states[:4] == [
        "grasp, seed 42",
        "logistic",
        "0.6700 [0.6600, 0.6800]",
        "+0.0500 [+0.0400, +0.0600]",
    ]
    assert any(line.startswith("missing") and "gone" in line for line in page.text)


def test_noise_has_a_curve_and_the_same_numbers(page: Read) -> None:
    name = next(caption for caption in page.tables if caption.startswith("NDCG@10, full ranking, by share"))
    rows = {row[0]: row for row in page.tables[name]}
    assert rows["method"][2:5] == ["0", "0.2", "0.4"]
    tips = [attrs["data-tip"] for tag, attrs in page.tags if "data-tip" in attrs]
    assert f"grasp at 0.2: {rows['grasp'][3]}" in tips


@pytest.mark.parametrize(
    ("entry", "order"),
    [
        (Entry("34.12 ± 0.16"), "34.12"), (Entry("-1.66 [-1.83, -1.50]"), "-1.66"),
        (Entry("22,363"), "22363"), (Entry("(3)"), "3"), (Entry("–"), ""), (Entry("< 0.0001"), "0.0001"),
        (Entry("2 h 05 min", order=7500.0), "7500"), (Entry("none"), ""), (Entry(""), ""),
    ],
)  # fmt: skip
def test_what_entries_are_sorted_by(entry: Entry, order: str) -> None:
    assert order_of(entry) == order


def test_the_same_results_give_the_same_file(toy: Results, tmp_path: Path) -> None:
    first = write_report(toy.folder, tmp_path / "a.html", tmp_path)
    before = first.stat().st_mtime_ns
    write_report(toy.folder, first, tmp_path)
    assert first.stat().st_mtime_ns == before
    assert write_report(toy.folder, tmp_path / "b.html", tmp_path).read_bytes() == first.read_bytes()


@pytest.mark.parametrize("name", STUDY_SECTIONS)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: json.dumps(content)[:-20], "cannot be read"),
        (lambda content: json.dumps(dict(list(content.items())[1:])), "Field required"),
        (lambda content: json.dumps({**content, "notes": [float("nan")]}), "NaN is no number"),
        (lambda content: json.dumps({**content, "notes": "text"}), "valid list"),
        (lambda content: "[]", "no JSON object"),
    ],
)
def test_a_damaged_study_is_named_and_nothing_is_written(name, damage, said, toy: Results, tmp_path) -> None:
    content = write_studies(toy.folder)[name]
    (toy.folder / f"{name}.json").write_text(damage(content))
    with pytest.raises(DataError, match=said) as caught:
        write_report(toy.folder, None, tmp_path / "leaderboard")
    assert f"{name}.json" in caught.value.message
    assert "again" in str(caught.value.hint)
    assert not (tmp_path / "leaderboard").exists()


@pytest.mark.parametrize("name", ["tuning", "attention", "latency", "freshness", "probe"])
def test_an_altered_digit_of_a_study_is_no_figure(name: str, toy: Results, tmp_path: Path) -> None:
    content = write_studies(toy.folder)[name]
    path = toy.folder / f"{name}.json"
    hashing.write(path, content)
    read_findings(toy.folder)  # sealed as the command does it
    text = path.read_text()
    place = next(k for k, letter in enumerate(text) if letter.isdigit() and text[k - 1] == ".")
    path.write_text(f"{text[:place]}{9 - int(text[place])}{text[place + 1 :]}")
    with pytest.raises(DataError, match=rf"{name}\.json: altered") as caught:
        write_report(toy.folder, None, tmp_path / "leaderboard")
    assert f"again: it writes {name}.json anew" in str(caught.value.hint)


def test_a_spec_that_has_not_run_says_so(results: Results, tmp_path: Path) -> None:
    results.folder.mkdir(parents=True)
    results.study()
    with pytest.raises(GraspBenchError, match="no finished cell") as caught:
        write_report(results.folder, None, tmp_path)
    assert "run" in str(caught.value.hint)


def test_without_the_library_one_line_says_what_to_install(monkeypatch, toy: Results, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingExtraError, match="vl_convert"):
        write_report(toy.folder, tmp_path / "page.html", tmp_path)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("name", ["a_search", "Suche [1] ⚗"])
def test_a_search_without_a_cell_has_a_page(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "results" / name
    folder.mkdir(parents=True)
    (folder / "tuning.json").write_text(json.dumps(tuning()), encoding="utf-8")
    done = CliRunner().invoke(
        app, ["report", "--results", str(folder.parent), "--leaderboard", str(tmp_path / "boards")]
    )
    assert done.exit_code == 0, done.output
    page = read(tmp_path / "boards" / f"{name}.report.html")
    assert page.sections == ["found", "tuning", "provenance"]
    assert "NDCG@10 against index.num_neighbours, with model.embedding_dim = 64" in page.tables
    assert not any("cells finished" in line or "grasp-bench run" in line for line in page.text)
    assert [path.name for path in folder.iterdir()] == ["tuning.json"]  # there is no board to keep


def test_values_of_a_search_stand_as_in_a_spec(results: Results, tmp_path: Path) -> None:
    found = tuning()
    params = {"model.self": True, "model.mlp_hidden": None, "training.lr": 0.00123456}
    trial = {**found["trials"][0], "params": params}
    points = [{"x": x, "mean": 0.3, "low": None, "high": None, "seeds": 1} for x in (True, False)]
    found |= {
        "space": {key: [value, "log"] for key, value in params.items()}, "trials": [trial], "best": trial,
        "contours": [], "importance": {}, "curves": [{"key": "model.self", "fixed": {}, "points": points}],
    }  # fmt: skip
    results.folder.mkdir(parents=True)
    (results.folder / "tuning.json").write_text(json.dumps(found))
    page = read(write_report(results.folder, tmp_path / "page.html", tmp_path))
    told = " ".join(page.text)
    assert "model.self = true, model.mlp_hidden = null, training.lr = 0.001235" in told
    assert not {"True", "None", "'log'"} & set(re.findall(r"True|None|'log'", told))
    table = page.tables["NDCG@10 against model.self, the best found at each value"]
    assert [row[0] for row in table[1:]] == ["true", "false"]


def test_one_method_alone_has_a_page(results: Results, tmp_path: Path) -> None:
    results.cell("none-42", np.arange(1, 31))
    results.study(cards={})
    page = read(write_report(results.folder, tmp_path / "page.html", tmp_path))
    assert set(page.sections) == {*ALWAYS, "groups"}


def test_a_drawing_is_shapes_and_text_alone() -> None:
    rows = [Bar(EVIL, 1.0, EVIL), Bar(LONG, 2.0, LONG)]
    text = to_svg(bars(rows, 345, EVIL), EVIL)
    drawing = Read()
    drawing.feed(text)
    assert {tag for tag, _ in drawing.tags} <= {"svg", "g", "path", "rect", "line", "text", "tspan"}
    assert [attrs["data-tip"] for _, attrs in drawing.tags if "data-tip" in attrs] == [EVIL, LONG]


def test_the_command_imports_neither_torch_nor_litellm(tmp_path: Path) -> None:
    three_methods(tmp_path / "results" / "toy_spec")
    program = (
        "import sys\nfrom grasp_bench.cli.app import main\ntry:\n    main()\nfinally:\n"
        "    print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program, "report"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "leaderboard" / "toy_spec.report.html").is_file()
    assert process.stdout.startswith("leaderboard/toy_spec.report.html (")
    loaded = set(process.stdout.partition("LOADED ")[2].split())
    assert "vl_convert" in loaded
    assert not loaded & {"torch", "litellm", "sentence_transformers", "optuna"}
