"""The harness as functions: the same results as the command line, and not a word on the terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import grasp_bench as gb
from grasp_bench import api
from grasp_bench.core.errors import SpecError, UnknownNameError

SPEC = """
name: small
dataset: {source: demo}
model: {backbone: sasrec, embedding_dim: 8, max_len: 10}
training: {max_epochs: 1}
seeds: [1]
controls: [popularity]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return path


def test_a_study_from_spec_to_report(spec, tmp_path, capfd):
    store, results, boards = (tmp_path / name for name in ("store", "results", "boards"))
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    loaded = api.load(spec, ["training.lr=1e-2"])
    whole = api.plan(loaded, store=store)
    expected = api.forecast(loaded, whole, store=store)
    assert (expected.status.trainings, expected.status.controls) == (1, 1)
    places = {"results": results, "leaderboard": boards}
    ran = api.run(loaded, whole, store=store, **places, executor="in_process")
    assert not ran.outcome.failed
    assert {cell.slug for cell in ran.outcome.finished} == {"sasrec-none-s1", "popularity"}
    assert all(path.is_file() for path in ran.boards)
    assert ran.stale == ran.warnings == ()
    rows = api.board("small", results=results)["rankings"][0]["rows"]
    assert {row["label"] for row in rows} == {"none", "popularity"}
    assert api.report(results=results, leaderboard=boards).read_text().startswith("<!doctype html>")
    assert api.forecast(loaded, whole, store=store).status.to_run == ()
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert capfd.readouterr() == ("", "")


def test_results_are_frames_in_long_form(spec, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planned = gb.cells(spec)
    assert planned.select("cell", "enhancer", "seed", "finished").rows() == [
        ("sasrec-none-s1", "none", 1, False),
        ("popularity", None, None, False),
    ]
    assert not gb.run(spec, executor="in_process", store=".grasp_bench").outcome.failed
    assert gb.cells(spec)["finished"].all()
    board = gb.board("small").filter(protocol="full", group="overall", metric="HR@10", seed="mean")
    mean, other = (board.filter(method=name)["value"][0] for name in ("none", "popularity"))
    ranks = gb.ranks("small", "sasrec-*", results="results")
    assert ranks["cell"].unique().to_list() == ["sasrec-none-s1"]
    assert mean == pytest.approx((ranks["full_better"] < 10).mean())  # no two scores are equal
    pair = gb.compare("none", "popularity", "small").filter(metric="HR@10", group="overall", protocol="full")
    assert pair["difference"][0] == pytest.approx(mean - other)
    with pytest.raises(UnknownNameError, match="no finished cell is called 'gru'"):
        gb.ranks("small", "gru")
    with pytest.raises(AttributeError, match="has no attribute 'boards'"):
        _ = gb.boards
    assert capfd.readouterr() == ("", "")


def test_errors_are_raised_and_not_printed(spec, capfd):
    with pytest.raises(SpecError, match=r"did you mean 'training\.lr'"):
        api.load(spec, ["training.rl=1"])
    assert capfd.readouterr() == ("", "")


def test_importing_it_imports_nothing_heavy():
    heavy = ("torch", "litellm", "numpy", "rich")
    code = (
        f"import sys, grasp_bench, grasp_bench.api; print([name for name in {heavy} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
