"""`grasp-bench plan` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from calling import call
from typer.testing import Result

SPEC = """\
name: small
dataset: {source: demo}
controls: []
compare: {model.enhancer: [none, grasp]}
ablations: {softmax: {model.attention: softmax}}
"""


def plan(folder: Path, *arguments: str, spec: str = SPEC) -> Result:
    (folder / "small.yaml").write_text(spec)
    return call(folder, "plan", "small.yaml", *arguments)


def test_json_tells_cells_nodes_and_an_estimate(tmp_path: Path) -> None:
    done = plan(tmp_path, "--format", "json", "--device", "cpu", "--workers", "2")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [cell["slug"] for cell in told["cells"]] == [
        "sasrec-none-s42", "sasrec-grasp-s42", "sasrec-grasp-softmax-s42",
    ]  # fmt: skip
    assert {cell["state"] for cell in told["cells"]} == {"to do"}
    assert len(told["nodes"]) == 17
    assert told["duplicates"] == {"sasrec-none-softmax-s42": "sasrec-none-s42"}
    assert told["estimate"]["seconds"] > 0
    assert told["estimate"]["memory_mb"] > 100
    assert told["estimate"]["workers"] == ["cpu", "cpu"]


def test_tables_tell_the_same_and_nothing_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    command = [sys.executable, "-X", "importtime", "-m", "grasp_bench", "plan", "small.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "sasrec-grasp-softmax-s42" in done.stdout
    assert "3 cells, 3 to finish; 17 nodes, 17 to run: trainings 3, untrained controls 0" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "grasp_bench.plan.compile" in imported
    assert imported.isdisjoint({"torch", "polars", "scipy", "numpy", "statsmodels", "litellm"})


def test_only_and_set_change_what_is_planned(tmp_path: Path) -> None:
    done = plan(tmp_path, "--format", "json", "--only", "*grasp*", "--set", "seeds=[1, 2]")
    told = json.loads(done.stdout)
    assert len(told["cells"]) == 4
    assert all("grasp" in cell["slug"] for cell in told["cells"])


def test_controls_are_planned_unless_a_spec_says_otherwise_and_counted_apart(tmp_path: Path) -> None:
    told = json.loads(plan(tmp_path, "--format", "json", spec=SPEC.replace("controls: []\n", "")).stdout)
    assert told["to_run"] == {"trainings": 4, "controls": 9}
    kinds = {cell["slug"]: cell["kind"] for cell in told["cells"]}
    assert kinds["markov"] == kinds["sasrec-grasp-shuffled-s42"] == "control"
    assert kinds["sasrec-grasp-s42"] == "trained"


def test_what_cannot_be_run_ends_with_a_message(tmp_path: Path) -> None:
    done = plan(tmp_path, "--set", "noise.rates=[0.5, 2]")
    assert done.exit_code == 2
    assert "noise.rates: rates must lie in [0, 1]" in done.stderr
    assert "Traceback" not in done.stderr
    nothing = plan(tmp_path, "--only", "bert*")
    assert nothing.exit_code == 2
    assert "sasrec-none-s42" in nothing.stderr
