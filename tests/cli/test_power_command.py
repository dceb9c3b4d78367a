"""`grasp-bench power` as it is typed, and what `plan` says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from results_builder import three_methods
from typer.testing import CliRunner

from grasp_bench.cli.app import app

runner = CliRunner()
SPEC = """\
name: toy_spec
dataset: {source: demo}
controls: []
seeds: [1, 2, 3, 4]
compare: {model.enhancer: [none, grasp]}
hypotheses: [{better: grasp, than: none}]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    three_methods(tmp_path / "results" / "toy_spec")
    (tmp_path / "toy.yaml").write_text(SPEC)
    return tmp_path


def test_tables_and_json(root) -> None:
    done = runner.invoke(app, ["power", "toy.yaml", "--points", "3", "--points", "0.2", "--power", "0.9"])
    assert done.exit_code == 0, done.output
    assert "with 90 % power" in done.output
    assert "Not told: grasp > llmesr" in done.output
    told = json.loads(runner.invoke(app, ["power", "--format", "json", "--protocol", "full"]).stdout)
    assert [scale["metric"] for scale in told["scales"]] == ["NDCG@10", "HR@10"]
    assert told["points"] == [0.1, 0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    ("arguments", "code"), [(["nowhere"], 2), (["--metric", "RH@10"], 2), (["--points", "0"], 2)]
)
def test_refusals_end_with_a_message(root, arguments, code) -> None:
    done = runner.invoke(app, ["power", *arguments])
    assert done.exit_code == code
    assert "Traceback" not in done.output


def test_plan_says_what_the_seeds_of_the_spec_could_tell(root) -> None:
    done = runner.invoke(app, ["plan", "toy.yaml"])
    assert done.exit_code == 0, done.output
    assert "grasp > none (NDCG@10, full): 4 seeds tell" in done.output


@pytest.mark.parametrize("name", ["study.json", "sasrec-none-s42/cell.json", "sasrec-none-s42/ranks.parquet"])
def test_plan_does_not_fail_for_damaged_results(root, name) -> None:
    path = root / "results" / "toy_spec" / name
    path.write_bytes(path.read_bytes()[:40])
    done = runner.invoke(app, ["plan", "toy.yaml"])
    assert done.exit_code == 0, done.output
    assert "note: what seeds can tell is not known" in done.output
    assert "seeds tell" not in done.output
