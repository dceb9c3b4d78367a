"""The live views of real runs: JSON lines that all parse, bars on a terminal of two widths."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from calling import call

SPEC = """\
name: live
dataset: {source: demo, sample_users: 200}
controls: [popularity]
model: {embedding_dim: 8, max_len: 10}
training: {max_epochs: 25, patience: 25}
seeds: [42, 43]
"""
RUN = [sys.executable, "-m", "grasp_bench", "run", "live.yaml", "--device", "cpu", "--workers", "1"]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NODE_EVENTS = {"started", "progress", "finished", "failed"}


def run_json(folder: Path, *more: str) -> tuple[int, list[dict[str, Any]]]:
    done = call(folder, *RUN[3:], "--executor", "in_process", "--log-format", "json", *more)
    return done.exit_code, [json.loads(line) for line in done.stderr.splitlines()]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("json")
    (folder / "live.yaml").write_text(SPEC)
    code, events = run_json(folder)
    assert code == 0
    return events


def test_every_line_is_an_event(told: list[dict[str, Any]]) -> None:
    assert {event["event"] for event in told} == {"note", "started", "progress", "finished"}
    assert [event["time"] for event in told] == sorted(event["time"] for event in told)
    assert told[-1]["text"].startswith("whole board: ")


def test_the_rest_is_told_in_seconds_and_cells(told: list[dict[str, Any]]) -> None:
    of_nodes = [event for event in told if event["event"] in NODE_EVENTS]
    assert all(event["eta_seconds"] >= 0 for event in of_nodes)
    last = of_nodes[-1]
    assert (last["eta_seconds"], last["cells_finished"], last["cells"]) == (0.0, 3, 3)
    assert last["nodes_ended"] == last["nodes"] == sum(event["event"] == "finished" for event in told)


def test_figures_of_a_training_are_numbers(told: list[dict[str, Any]]) -> None:
    epochs = [event for event in told if event["event"] == "progress" and event["stage"] == "train"]
    assert epochs
    for event in epochs:
        assert event["figures"]["loss"] > 0
        assert 0 <= event["figures"]["NDCG@10"] <= 1
        assert event["unit"] == "epochs"
    assert epochs[-1]["per_second"] > 0
    assert epochs[-1]["node_eta_seconds"] >= 0


def test_errors_are_events_too(tmp_path: Path) -> None:
    (tmp_path / "live.yaml").write_text(SPEC.replace("patience", "patients"))
    code, (event,) = run_json(tmp_path)
    assert code == event["exit_code"] == 2
    assert event["event"] == "error"
    assert "did you mean 'patience'" in event["problems"][0]
    (tmp_path / "live.yaml").write_text(SPEC)
    code, (event,) = run_json(tmp_path, "--only", "nothing")
    assert (code, event["event"]) == (2, "error")


def on_a_terminal(folder: Path, columns: int) -> str:
    """What a run writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    environment |= {"TERM": "xterm-256color"}
    with subprocess.Popen(
        [*RUN], cwd=folder, stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    ) as run:
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
    os.close(ours)
    assert run.returncode == 0, written
    return written.decode()


@pytest.mark.parametrize("columns", [80, 120])
def test_bars_fit_the_terminal(tmp_path: Path, columns: int) -> None:
    (tmp_path / "live.yaml").write_text(SPEC)
    lines = [ESCAPES.sub("", part) for part in re.split(r"[\r\n]+", on_a_terminal(tmp_path, columns))]
    bars = [line for line in lines if "━" in line]
    assert bars
    assert max(map(len, bars)) <= columns
    training = [line for line in bars if line.startswith("train sasrec-none-s4")]
    clock = r" +\d:\d\d:\d\d" if columns == 120 else ""
    shown = re.compile(rf"\d+/25 epochs +[\d.,]+/s{clock} +about \d+ s left")
    assert any(shown.search(line) for line in training), training[-3:]
    whole = [line for line in bars if line.startswith("all ")]
    assert any(re.search(r"[0-3]/3 cells .*about \d+ \w+ left", line) for line in whole), whole[-3:]
    assert any("loss 0." in line or "loss 1." in line for line in training) == (columns == 120)
    assert sum(line.startswith("done") for line in lines) >= 8
