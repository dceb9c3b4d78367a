"""`grasp-bench list` shows every registered component with its keys and an implementation that exists."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from grasp_bench.cli.app import app
from grasp_bench.components import REGISTRIES
from grasp_bench.core.registry import imported


def test_every_component_is_listed_with_its_keys() -> None:
    rows = json.loads(CliRunner().invoke(app, ["list", "--format", "json"]).output)
    assert [(row["kind"], row["name"]) for row in rows] == [
        (registry.kind, name) for registry in REGISTRIES for name in registry
    ]
    by_name = {row["name"]: row for row in rows}
    assert "attention" in by_name["grasp"]["keys"]
    assert "embedding_dim" not in by_name["grasp"]["keys"]
    assert by_name["gbce"]["keys"][0] == "negatives"
    assert by_name["none"]["keys"] == []
    assert all(row["summary"] for row in rows)
    assert all(callable(imported(row["implementation"])) for row in rows)


def test_one_kind_and_a_kind_that_is_not_there() -> None:
    table = CliRunner().invoke(app, ["list", "backbone"]).output
    assert "sasrec" in table
    assert "grasp" not in table
    wrong = CliRunner().invoke(app, ["list", "backbones"])
    assert wrong.exit_code
    assert "did you mean 'backbone'?" in wrong.output
