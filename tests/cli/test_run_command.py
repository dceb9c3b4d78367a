"""`grasp-bench run` from a spec to a board: real stages, ID-only, one epoch."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from calling import call
from patience import PATIENCE
from typer.testing import Result

SPEC = """\
name: small
dataset: {source: demo, sample_users: 200}
controls: []
model: {embedding_dim: 8, max_len: 10}
training: {max_epochs: 1}
"""
RUN = [sys.executable, "-m", "grasp_bench", "run", "small.yaml", "--device", "cpu", "--log-format", "plain"]
HEAVY = {"torch", "polars", "scipy", "numpy", "statsmodels", "pyarrow"}


def run(folder: Path, *arguments: str) -> Result:
    return call(folder, *RUN[3:], "--executor", "in_process", *arguments)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the spec has been run."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.yaml").write_text(SPEC)
    done = subprocess.run(RUN, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 cell, 5 nodes, 5 to do" in done.stderr
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_results_and_boards_are_there(finished: Path) -> None:
    folder = finished / "results" / "small" / "sasrec-none-s42"
    cell = json.loads((folder / "cell.json").read_text())
    assert cell["train"]["epochs"] == 1
    assert cell["versions"]["torch"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert 0 <= metrics["full"]["overall"]["NDCG@10"] <= 1
    assert (folder / "ranks.parquet").stat().st_size > 0
    assert "none" in (finished / "leaderboard" / "small.md").read_text()
    study = json.loads((finished / "results" / "small" / "study.json").read_text())
    assert [planned["hash"] for planned in study["planned"]] == [cell["hash"]]
    assert [card["users"] for card in study["cards"].values()] == [200]


def test_again_does_nothing_quickly_and_prints_the_board(finished: Path) -> None:
    command = [sys.executable, "-X", "importtime", *RUN[1:]]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=finished, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert spent < 4  # of the processor; alone on the machine: 0.7
    assert "nothing to do" in done.stderr
    assert "NDCG@10" in done.stdout
    assert {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}.isdisjoint(HEAVY)


def test_a_damaged_artefact_is_set_aside_and_made_again(copied: Path) -> None:
    (train,) = (copied / ".grasp_bench" / "split").glob("*/train.parquet")
    written = train.read_bytes()
    train.write_bytes(bytes([written[0] ^ 1]) + written[1:])
    done = run(copied, "--set", "seeds=[42, 7]")
    assert done.exit_code == 0, done.stderr
    assert f"{train}: damaged" in done.stderr.replace(".grasp_bench", str(copied / ".grasp_bench"))
    assert "found damaged and set aside, made again: split demo" in done.stderr
    assert train.read_bytes() == written
    aside = train.parent.with_name(f"{train.parent.name}.damaged")
    assert (aside / "train.parquet").read_bytes() != written  # nothing is lost


def test_cells_that_the_spec_no_longer_asks_for_are_named(copied: Path) -> None:
    done = run(copied, "--set", "seeds=[7]")
    assert done.exit_code == 0
    assert "not asked for by the spec and not counted: sasrec-none-s42" in done.stderr


def test_tuning_is_told_to_be_left_out(finished: Path) -> None:
    done = run(finished, "--set", "tuning.space={model.embedding_dim: [8, 16]}")
    assert done.exit_code == 0
    assert "`tuning:` is not searched" in done.stderr


def test_ctrl_c_says_how_to_go_on(copied: Path) -> None:
    arguments = [
        *RUN,
        "--set",
        "seeds=[9]",
        "--set",
        "training.max_epochs=100000",
        "--set",
        "training.patience=100000",
    ]
    with subprocess.Popen(arguments, cwd=copied, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        for line in program.stderr:
            if "start   train" in line:
                break
        program.send_signal(signal.SIGINT)
        rest = program.stderr.read()
        assert program.wait(PATIENCE) == 130
    assert "interrupted; the same command resumes" in rest
    assert "Traceback" not in rest
    study = json.loads((copied / "results" / "small" / "study.json").read_text())
    assert [planned["seed"] for planned in study["planned"]] == [9]  # what the board has to wait for
    assert [card["users"] for card in study["cards"].values()] == [200]  # the split was there before


def test_a_results_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    (tmp_path / "results").write_text("in the way")
    done = run(tmp_path)
    assert done.exit_code == 5
    assert "cannot be written" in done.stderr
    assert "hint: pass --results" in done.stderr
