"""Somebody else's scores on our board, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import call
from typer.testing import Result

SPEC = """\
name: small
dataset: {source: demo, protocol: {negatives: 20}}
controls: [random]
imported: [{name: theirs, run: theirs.run}]
hypotheses: [{better: theirs, than: random, protocol: sampled}]
"""


def run(folder: Path, only: str) -> Result:
    quick = ("--executor", "in_process", "--device", "cpu", "--log-format", "plain")
    return call(folder, "run", "small.yaml", "--only", only, *quick)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec whose control has been run and written as a run of scores, halved."""
    place = tmp_path_factory.mktemp("peer")
    (place / "small.yaml").write_text(SPEC)
    (place / "theirs.run").write_text("")
    assert run(place, "random").exit_code == 0
    written = call(place, "export", "runs", "small.yaml", "--only", "random", "--to", ".")
    assert written.exit_code == 0, written.stderr
    lines = [line.split() for line in (place / "random.sampled.run").read_text().splitlines()]
    halved = [" ".join([*line[:4], repr(float(line[4]) / 2), "theirs"]) for line in lines]
    (place / "theirs.run").write_text("\n".join(halved))
    return place


def test_a_run_stands_on_the_board_with_the_figures_of_its_scores(folder: Path) -> None:
    done = run(folder, "theirs")
    assert done.exit_code == 0, done.stderr
    results = folder / "results" / "small"
    theirs, ours = (json.loads((results / n / "metrics.json").read_text()) for n in ("theirs", "random"))
    assert theirs == {"sampled": ours["sampled"]}
    cell = json.loads((results / "theirs" / "cell.json").read_text())
    assert (cell["kind"], cell["name"], cell["seed"], cell["backbone"]) == ("imported", "theirs", None, None)
    assert cell["settings"]["imported"]["run"] == "theirs.run"
    assert cell["settings"]["imported"]["absent_share"] == 0
    board = (folder / "leaderboard" / "small.md").read_text()
    assert "theirs ‡" in board
    assert "random °" in board
    assert "theirs and random are equal" in board


def test_a_line_that_cannot_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    text = (folder / "theirs.run").read_text().splitlines()
    (tmp_path / "theirs.run").write_text("\n".join([text[0], text[1].replace(" Q0 ", " Q0 no-"), *text[2:]]))
    done = run(tmp_path, "theirs")
    assert done.exit_code == 6
    assert "theirs.run:2: item 'no-" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_is_not_there_is_said_before_anything_is_computed(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    done = call(tmp_path, "plan", "small.yaml")
    assert done.exit_code == 3
    assert done.stderr.startswith("error: small.yaml:4:32 imported.run: theirs.run: no such file")
