"""`grasp-bench inspect`, called as a program on a small shop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_shop import Shop, make, open_shop
from typer.testing import CliRunner, Result

from grasp_bench.cli.inspect import app


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = open_shop(tmp_path_factory.mktemp("shown") / "shop")
    make(made, made.plan, "split", "text", "embeddings", "neighbours")
    return made


def inspect(shop: Shop, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [command, str(shop.spec), "--store", str(shop.store.root), *arguments])


@pytest.mark.parametrize("side", ["users", "items"])
@pytest.mark.parametrize("command", ["text", "neighbours"])
def test_for_people_and_for_programs(shop: Shop, command: str, side: str) -> None:
    shown = inspect(shop, command, "--side", side, "--sample", "2")
    assert shown.exit_code == 0, shown.output
    assert f"{command.capitalize()} of {side}, sasrec-grasp-s1" in shown.stdout
    assert shown.stdout.count("near  ") == 6
    plain = json.loads(inspect(shop, command, "--side", side, "--sample", "2", "--format", "json").stdout)
    assert (plain["cell"], plain["side"], len(plain["samples"])) == ("sasrec-grasp-s1", side, 2)


def test_a_cell_by_its_slug_and_the_seed(shop: Shop) -> None:
    slug = "sasrec-grasp-titles-s1"
    first, second = (
        json.loads(inspect(shop, "text", "--cell", slug, "--seed", seed, "--format", "json").stdout)
        for seed in ("1", "2")
    )
    assert first["cell"] == slug
    assert first["samples"] != second["samples"]


def test_prompts(shop: Shop, tmp_path: Path) -> None:
    shown = inspect(shop, "prompts", "--results", str(tmp_path), "--p", "0.8")
    assert shown.exit_code == 0, shown.output
    assert "base / titles" in shown.stdout
    assert "p = 0.8" in shown.stdout
    plain = json.loads(inspect(shop, "prompts", "--results", str(tmp_path), "--format", "json").stdout)
    assert plain["persistence"] == 0.9
    assert plain["sides"][0]["pairs"][0]["jaccard"]["mean"] > 0


@pytest.mark.parametrize("command", ["text", "neighbours", "prompts"])
def test_a_spec_that_was_not_run_is_one_line(shop: Shop, tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "grasp_bench", "inspect", command, str(shop.spec), "--store", str(tmp_path)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 5
    assert "not there yet" in done.stderr or "are there yet" in done.stderr
    assert "grasp-bench run" in done.stderr
    assert "Traceback" not in done.stderr
