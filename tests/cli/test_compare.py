"""`grasp-bench compare A B` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from results_builder import three_methods
from typer.testing import CliRunner

from grasp_bench.cli.app import app

runner = CliRunner()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    three_methods(tmp_path / "toy_spec")
    return tmp_path


def invoke(*arguments: object):
    return runner.invoke(app, ["compare", *map(str, arguments)])


def test_words_and_tables(root) -> None:
    done = invoke("grasp", "none", "--results", root)
    assert done.exit_code == 0, done.output
    assert "grasp is above none by" in done.output
    assert "model.attention" in done.output


def test_json(root) -> None:
    done = invoke(
        "grasp", "grasp/softmax", "--spec", root / "toy_spec", "--metric", "HR@10", "--format", "json"
    )
    pair = json.loads(done.stdout)
    assert (pair["first"], pair["second"], pair["metric"]) == ("grasp", "grasp/softmax", "HR@10")
    assert pair["protocols"]["full"]["test"]["n"] == 300


@pytest.mark.parametrize("names", [("grasp", "grasp"), ("grapse", "none"), ("none",)])
def test_refusals_end_with_code_2(root, names) -> None:
    done = invoke(*names, "--results", root)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
