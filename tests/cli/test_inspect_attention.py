"""`grasp-bench inspect attention`, called as a program on a small shop with trained cells."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from attentive_shop import open_attentive
from small_shop import Shop
from typer.testing import CliRunner, Result

from grasp_bench.cli.inspect import app
from grasp_bench.core import hashing

REST = """
controls: []
noise: {rates: [0, 0.4]}
ablations:
  soft: {model.attention: softmax}
"""
SLUG = "sasrec-grasp-s1"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_attentive(tmp_path_factory.mktemp("shown") / "shop", REST)


def inspect(shop: Shop, folder: Path, *arguments: str) -> Result:
    places = ["--store", str(shop.store.root), "--results", str(folder), "--leaderboard", str(folder)]
    return CliRunner().invoke(app, ["attention", str(shop.spec), *places, *arguments])


def test_for_people_for_programs_and_for_pages(shop: Shop, tmp_path: Path) -> None:
    shown = inspect(shop, tmp_path, "--user", "u3", "--sample", "0")
    assert shown.exit_code == 0, shown.output
    for words in ("Weights of history pairs", "Corrupted context", "user u3: weights from", "█"):
        assert words in shown.stdout
    plain = json.loads(inspect(shop, tmp_path, "--user", "u3", "--sample", "0", "--format", "json").stdout)
    stored = json.loads((tmp_path / "attentive" / "attention.json").read_text())
    assert plain == hashing.without_checksum(stored)
    assert [cell["slug"] for cell in plain["cells"]] == [
        SLUG, "sasrec-grasp-noise_0.4-s1", "sasrec-grasp-soft-s1", "sasrec-grasp-soft-noise_0.4-s1",
    ]  # fmt: skip
    page = inspect(shop, tmp_path, "--user", "u3", "--sample", "0", "--format", "md").stdout
    assert page == (tmp_path / "attentive.attention.md").read_text()
    assert "### Weights over the history of user u3" in page
    assert page.count("<details>") == page.count("</details>") == 4


def test_figures_on_the_page_are_those_of_the_json(shop: Shop, tmp_path: Path) -> None:
    page = inspect(shop, tmp_path, "--format", "md").stdout
    cells = json.loads((tmp_path / "attentive" / "attention.json").read_text())["cells"]
    name = f"{cells[1]['label']}, seed {cells[1]['seed']}"
    rows = [line for line in page.splitlines() if line.startswith(f"| {name} | self |")]
    weights, groups, *corruption = ([cell.strip() for cell in row.split("|")[1:-1]] for row in rows)
    noisy = cells[1]
    found = {each["group"]: each for each in noisy["weights"] if each["part"] == "self"}
    assert weights[3:6] == [f"{noisy['pairs']}", f"{found['all']['mean']:.4f}", f"{found['all']['std']:.4f}"]
    assert groups[2:5] == [f"{found[name]['mean']:.4f}" for name in ("training", "validation", "unchosen")]
    assert [row[2] for row in corruption] == ["users", "items", "either"]
    assert [row[5] for row in corruption] == [
        f"{each['auc']:.4f}" for each in noisy["corruption"] if each["part"] == "self"
    ]


@pytest.mark.parametrize("part", [("--cell", SLUG), ("--corrupt", "0.5")])
def test_a_part_is_shown_and_not_written(shop: Shop, tmp_path: Path, part: tuple[str, str]) -> None:
    shown = inspect(shop, tmp_path, *part)
    assert shown.exit_code == 0, shown.output
    assert not list(tmp_path.iterdir())


def test_a_spec_that_was_not_run_is_one_line(shop: Shop, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "grasp_bench", "inspect", "attention", str(shop.spec)]
    done = subprocess.run([*program, "--store", str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (5, ""), done.stderr
    assert "is there yet" in done.stderr
    assert "grasp-bench run" in done.stderr
    assert "Traceback" not in done.stderr
