"""The harness as functions: the same results as the command line, and not a word on the terminal."""

from __future__ import annotations

import os
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
dataset: {source: demo, sample_users: 300}
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


# Runs as a program, whose handlers, streams and end are its own; every name of grasp_bench is called.
PROGRAM = """
import os, signal, sys
import grasp_bench as gb
from grasp_bench.core.errors import GraspBenchError

def ended(*arguments):
    os.write(2, b"it ends the process")
os._exit = ended

def state():
    handlers = {each: signal.getsignal(each) for each in signal.valid_signals()}
    return handlers, sys.stdout, sys.stderr, sys.excepthook, os.getcwd()

def main():
    before, spec = state(), sys.argv[1]
    calls = {
        "cells": [(spec,), ("absent.yaml",), (spec, ["training.rl=1"])],
        "run": [(spec,), ("absent.yaml",)],
        "board": [("small",), ("absent",)],
        "compare": [("none", "popularity", "small"), ("none", "nothing", "small")],
        "ranks": [("small",), ("small", "gru*")],
    }
    assert {*calls, "__version__"} == {*gb.__all__}
    for name, (good, *bad) in calls.items():
        getattr(gb, name)(*good, **({"workers": 1} if name == "run" else {}))
        for arguments in bad:
            try:
                getattr(gb, name)(*arguments)
            except GraspBenchError:
                continue
            raise AssertionError(name, arguments)
        assert state() == before, name
    os.write(1, b"the end")

if __name__ == "__main__":
    main()
"""


def test_no_function_prints_ends_the_process_or_leaves_a_handler(spec, tmp_path):
    """With worker processes, which have streams and handlers of their own."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    done = subprocess.run(
        [sys.executable, str(program), str(spec)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stderr, done.stdout, done.returncode) == ("", "the end", 0)


def test_the_bars_of_a_script_give_its_streams_back(spec, tmp_path, capfd):
    before = sys.stdout, sys.stderr
    places = {name: tmp_path / name for name in ("store", "results", "leaderboard")}
    gb.run(spec, executor="in_process", display="rich", **places)
    assert (sys.stdout, sys.stderr) == before
    assert "train sasrec-none-s1" in capfd.readouterr().err


def test_what_a_notebook_shows_of_a_run_is_short(spec, tmp_path):
    places = {name: tmp_path / name for name in ("store", "results", "leaderboard")}
    ran = gb.run(spec, executor="in_process", only="popularity", **places)
    assert repr(ran) == f"{tmp_path / 'results' / 'small'}: 1 of 1 cells finished"
    first, failed = repr(gb.run(spec, ["training.lr=1e30"], executor="in_process", **places)).splitlines()
    assert first.endswith("small: 1 of 2 cells finished")
    assert failed.startswith("failed: train sasrec-none-s1: ")
    assert "loss is not finite in epoch 1" in failed


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
