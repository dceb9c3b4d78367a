"""`grasp-bench leaderboard` as it is typed."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from results_builder import three_methods
from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.core import hashing

runner = CliRunner()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    three_methods(tmp_path / "toy_spec")
    return tmp_path


def invoke(*arguments: object):
    return runner.invoke(app, ["leaderboard", *map(str, arguments)])


def test_the_only_spec_needs_no_name(root) -> None:
    done = invoke("--results", root)
    assert done.exit_code == 0, done.output
    assert "full ranking by NDCG@10" in done.output


def test_all_boards_are_written_in_all_formats(root, tmp_path) -> None:
    three_methods(root / "other_spec")
    done = invoke("--all", "--results", root, "--leaderboard", tmp_path / "boards")
    assert done.exit_code == 0, done.output
    found = {path.suffix for path in (tmp_path / "boards").iterdir()}
    assert found == {".md", ".html", ".csv", ".json", ".tex"}
    assert invoke("toy_spec", "--all", "--results", root).exit_code == 2
    nothing = invoke("--all", "--results", tmp_path / "nowhere")
    assert nothing.exit_code != 0


@pytest.mark.parametrize(
    ("name", "start"),
    [("md", "# toy"), ("csv", "protocol_hash"), ("json", "{"), ("latex", "% toy"), ("svg", "<svg")],
)
def test_formats(root, name, start) -> None:
    done = invoke("toy_spec", "--results", root, "--format", name)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(start)


def test_out_metric_and_protocol(root) -> None:
    target = root / "made" / "board.md"
    done = invoke(
        "toy_spec", "--results", root, "--format", "md", "--out", target,
        "--metric", "HR@5", "--protocol", "sampled",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    text = target.read_text(encoding="utf-8")
    assert text.index("sampled ranking by HR@5") < text.index("full ranking by HR@5")


def test_unknown_names_end_with_code_2_and_no_traceback(root) -> None:
    for arguments in (("toy_sepc",), ("toy_spec", "--metric", "HR@99"), ("toy_spec", "--format", "docx")):
        done = invoke(*arguments, "--results", root)
        assert done.exit_code == 2
        assert "Traceback" not in done.output


def test_from_the_cache_it_answers_at_once(root) -> None:
    assert invoke("toy_spec", "--results", root, "--format", "json").exit_code == 0
    command = [sys.executable, "-m", "grasp_bench", "leaderboard", "toy_spec", "--results", str(root)]
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert done.returncode == 0, done.stderr
    assert min(seconds) < 1.5  # of the processor; 0.3 s on an idle core


def test_json_is_the_stored_board(root) -> None:
    done = invoke("toy_spec", "--results", root, "--format", "json")
    assert json.loads(done.stdout) == hashing.without_checksum(
        json.loads((root / "toy_spec" / "board.json").read_text())
    )
