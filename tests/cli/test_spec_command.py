from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grasp_bench.cli.app import app


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text("dataset: {source: demo}\n")
    Path("x.yaml").write_text("include: base.yaml\nname: x\ndescription: '[bold]é'\n")
    return CliRunner()


def test_schema_is_json(runner: CliRunner) -> None:
    result = runner.invoke(app, ["spec", "schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["title"] == "grasp_bench spec"


def test_explain_as_json(runner: CliRunner) -> None:
    result = runner.invoke(app, ["spec", "explain", "x.yaml", "--set", "model.heads=2", "--format", "json"])
    assert result.exit_code == 0, result.stderr
    rows = {row["key"]: (row["value"], row["source"]) for row in json.loads(result.stdout)}
    assert rows["name"] == ("x", "x.yaml:2:7")
    assert rows["dataset.source"] == ("demo", "include base.yaml:1:19")
    assert rows["model.heads"] == (2, "--set")
    assert rows["model.self"] == (True, "default")
    assert rows["noise"] == (None, "default")


def test_explain_as_a_table(runner: CliRunner) -> None:
    result = runner.invoke(app, ["spec", "explain", "x.yaml"])
    assert result.exit_code == 0
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    assert lines["description"] == ["[bold]é", "x.yaml:3:14"]  # no markup in values
    assert lines["dataset.protocol.also_full_ranking"] == ["true", "default"]


def test_explain_refuses_like_validate(runner: CliRunner) -> None:
    result = runner.invoke(app, ["spec", "explain", "x.yaml", "--set", "model.hedas=2"])
    assert result.exit_code == 2
    assert result.stderr == "--set model.hedas: unknown key; did you mean 'model.heads'?\n"
