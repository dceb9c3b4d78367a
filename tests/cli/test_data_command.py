"""`grasp-bench data card`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from grasp_bench.cli.data import app
from grasp_bench.core.errors import DataError, MissingFileError, SpecError


def card(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["card", *arguments])


@pytest.fixture
def interactions(tmp_path: Path) -> Path:
    path = tmp_path / "clicks.csv"
    path.write_text("reviewerID,asin,when\n1,a,1\n1,b,2\n1,a,3\n2,a,1\n2,b,2\n")
    return path


def test_demo_as_table() -> None:
    result = card("demo")
    assert result.exit_code == 0, result.output
    assert "Dataset card: demo" in result.output
    assert "1,500" in result.output


def test_columns_and_filters_are_set_as_in_a_spec(interactions: Path) -> None:
    columns = {"user": "reviewerID", "item": "asin", "order": "when"}
    overrides = [
        part for key, value in columns.items() for part in ("--set", f"dataset.columns.{key}={value}")
    ]
    result = card(str(interactions), *overrides, "--format", "json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["name"], found["users"], found["repeat_targets"]) == ("clicks", 1, 1.0)
    assert found["filtered"]["users_left_out"] == 1


def test_a_spec_brings_its_dataset_section(interactions: Path, tmp_path: Path) -> None:
    spec = tmp_path / "shop.yaml"
    columns = "{user: reviewerID, item: asin, order: when}"
    spec.write_text(f"name: shop\ndataset:\n  source: {interactions}\n  columns: {columns}\n")
    result = card(str(spec), "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["interactions"] == 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["no-such-data"], MissingFileError, "not found"),
        (["demo", "--set", "dataset.min_usr=3"], SpecError, "did you mean 'dataset.min_user'"),
        (["demo", "--set", "dataset.min_user=40"], DataError, "no interactions are left"),
    ],
)
def test_errors_are_deliberate(arguments: list[str], error: type[Exception], message: str) -> None:
    result = card(*arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_missing_columns_suggest(interactions: Path) -> None:
    result = card(str(interactions))
    assert isinstance(result.exception, DataError)
    assert "no column 'user_id'" in str(result.exception)


def test_looking_at_data_does_not_import_torch() -> None:
    code = "import sys; from grasp_bench.data import card, card_table; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
