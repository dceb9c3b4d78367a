"""The program answers quickly because it imports little, and fails in lines, not in tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grasp_bench.cli.app import COMMANDS

HEAVY = {"torch", "litellm", "polars", "scipy", "sentence_transformers", "statsmodels", "sklearn", "optuna"}
SPEC = (
    "name: x\ndataset: {source: demo}\nmodel: {enhancer: grasp}\ncompare: {model.enhancer: [none, grasp]}\n"
)
# Runs the program in this process, then prints what it has imported.
PROBE = """
import sys
from grasp_bench.cli.app import main
try:
    main()
finally:
    sys.stderr.write("\\nLOADED " + " ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def loaded(process: subprocess.CompletedProcess[str]) -> set[str]:
    return set(process.stderr.rpartition("LOADED ")[2].split())


def test_help_imports_nothing_of_the_commands(tmp_path: Path) -> None:
    process = run("--help", cwd=tmp_path)
    assert process.returncode == 0
    assert all(name in process.stdout for name in COMMANDS)
    assert not loaded(process) & {*HEAVY, "pydantic", "numpy", "rich", "yaml"}


@pytest.mark.parametrize(
    "arguments", [["validate", "x.yaml"], ["plan", "x.yaml"], ["spec", "explain", "x.yaml"]]
)
def test_commands_that_only_read_the_spec_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(SPEC)
    process = run(*arguments, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert not loaded(process) & HEAVY


@pytest.mark.parametrize("command", ["leaderboard", "board", "report", "compare", "power"])
def test_commands_that_read_results_import_neither_torch_nor_litellm(command: str, tmp_path: Path) -> None:
    arguments = ["a", "b"] if command == "compare" else []
    process = run(command, *arguments, cwd=tmp_path)
    assert process.returncode != 0  # there are no results here
    assert "Traceback" not in process.stderr
    assert not loaded(process) & {"torch", "litellm", "sentence_transformers"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str, tmp_path: Path) -> None:
    process = run(command, "--help", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"Usage: grasp-bench {command}")
    assert not loaded(process) & {"torch", "litellm", "sentence_transformers"}


def test_version(tmp_path: Path) -> None:
    import grasp_bench

    assert run("--version", cwd=tmp_path).stdout == f"grasp-bench {grasp_bench.__version__}\n"


def test_an_unknown_command_is_guessed(tmp_path: Path) -> None:
    process = run("vlidate", cwd=tmp_path)
    assert process.returncode == 2
    assert "Did you mean 'validate'?" in process.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    quiet = run("validate", "x.yaml", cwd=tmp_path)
    assert (quiet.returncode, "Traceback" in quiet.stderr) == (3, False)
    loud = run("--debug", "spec", "explain", "x.yaml", cwd=tmp_path)
    assert (loud.returncode, "Traceback" in loud.stderr) == (3, True)


def test_a_reader_that_stops_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m grasp_bench spec schema | head -c 10"
    process = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    assert process.stderr == ""
