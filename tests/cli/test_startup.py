"""The program answers quickly because it imports little, and fails in lines, not in tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from grasp_bench.cli.app import COMMANDS

HEAVY = {"torch", "litellm", "polars", "scipy", "sentence_transformers", "statsmodels", "sklearn", "optuna"}
SPEC = (
    "name: x\ndataset: {source: demo}\nmodel: {enhancer: grasp}\ncompare: {model.enhancer: [none, grasp]}\n"
)
# Runs the program for each of several command lines; tells what each said, and what was imported by then.
PROBE = """
import contextlib, io, json, sys
from grasp_bench.cli.app import app
told = []
for arguments in json.loads(sys.argv.pop()):
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        try:
            app(arguments, prog_name="grasp-bench")
        except SystemExit as end:
            code = end.code
    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    told.append((code, said.getvalue(), errors.getvalue(), loaded))
print(json.dumps(told))
"""


class Told(NamedTuple):
    """Exit code, streams, and top-level packages imported by this command line and those before it."""

    code: int
    said: str
    errors: str
    loaded: set[str]


def run(folder: Path, *lines: str) -> dict[str, Told]:
    """Run command lines one after the other in one fresh process."""
    command = [sys.executable, "-c", PROBE, json.dumps([line.split() for line in lines])]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return {line: Told(*each, set(loaded)) for line, (*each, loaded) in zip(lines, found, strict=True)}


def test_help_and_version_import_nothing_of_the_commands(tmp_path: Path) -> None:
    import grasp_bench

    told = run(tmp_path, "--help", "--version")
    assert told["--help"].code == 0
    assert all(name in told["--help"].said for name in COMMANDS)
    assert told["--version"].said == f"grasp-bench {grasp_bench.__version__}\n"
    assert not told["--version"].loaded & {*HEAVY, "pydantic", "numpy", "rich", "yaml"}


def test_commands_that_only_read_the_spec_import_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(SPEC)
    told = run(tmp_path, "validate x.yaml", "plan x.yaml", "spec explain x.yaml")
    for line, each in told.items():
        assert each.code == 0, (line, each.errors)
        assert not each.loaded & HEAVY, line


def test_commands_that_read_results_import_neither_torch_nor_litellm(tmp_path: Path) -> None:
    told = run(tmp_path, "leaderboard", "board", "report", "compare a b", "power")
    for line, each in told.items():
        assert each.code != 0, line  # there are no results here
        assert "Traceback" not in each.errors, line
        assert not each.loaded & {"torch", "litellm", "sentence_transformers"}, line


def test_every_command_explains_itself(tmp_path: Path) -> None:
    told = run(tmp_path, *(f"{command} --help" for command in COMMANDS))
    for line, each in told.items():
        assert each.code == 0, (line, each.errors)
        assert each.said.startswith(f"Usage: grasp-bench {line.partition(' ')[0]}")
        assert not each.loaded & {"torch", "litellm", "sentence_transformers"}, line


def test_an_unknown_command_is_guessed_and_debug_shows_the_traceback(tmp_path: Path) -> None:
    told = run(tmp_path, "vlidate", "validate x.yaml", "--debug spec explain x.yaml")
    unknown, quiet, loud = told.values()
    assert unknown.code == 2
    assert "Did you mean 'validate'?" in unknown.errors
    assert (quiet.code, "Traceback" in quiet.errors) == (3, False)
    assert (loud.code, "Traceback" in loud.errors) == (3, True)


def test_a_reader_that_stops_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m grasp_bench spec schema | head -c 10"
    process = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    assert process.stderr == ""
