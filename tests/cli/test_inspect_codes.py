"""`grasp-bench inspect codes`, called as a program on a small shop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_shop import ITEMS, Shop, make, open_shop, plan_of
from typer.testing import CliRunner, Result

from grasp_bench.cli.inspect import app

CHANGES = [
    "compare={}", "model.enhancer=rpg", "seeds=[1]", "ablations={hashed: {semantic_ids.method: hash}}",
    "semantic_ids={method: rq_kmeans, levels: 2, codebook_size: 4}",
]  # fmt: skip
SET = [word for change in CHANGES for word in ("--set", change)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = open_shop(tmp_path_factory.mktemp("shown") / "shop")
    make(made, plan_of(made.spec, CHANGES), "split", "text", "embeddings", "semantic_ids")
    return made


def inspect(shop: Shop, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["codes", str(shop.spec), "--store", str(shop.store.root), *arguments])


def test_for_people_for_papers_and_for_programs(shop: Shop) -> None:
    shown = inspect(shop, *SET, "--sample", "1")
    assert shown.exit_code == 0, shown.output
    assert "Semantic IDs of shop" in shown.stdout
    assert "rq_kmeans of text: sasrec-rpg-s1" in shown.stdout
    assert "hash: sasrec-rpg-hashed-s1" in shown.stdout
    assert shown.stdout.count("\nprefix ") == 4
    marked = inspect(shop, *SET, "--format", "md")
    assert "## rq\\_kmeans of text: sasrec-rpg-s1" in marked.stdout
    assert "| all pairs |" in marked.stdout
    plain = json.loads(inspect(shop, *SET, "--format", "json").stdout)
    assert [each["cells"] for each in plain["made"]] == [["sasrec-rpg-s1"], ["sasrec-rpg-hashed-s1"]]
    for each in plain["made"]:
        assert each["card"]["items"] == ITEMS
        assert each["prefixes"][0]["distinct"] == each["card"]["used"][0]


def test_one_cell_and_the_seed_of_examples(shop: Shop) -> None:
    chosen = ["--cell", "sasrec-rpg-hashed-s1", "--sample", "1", "--format", "json"]
    first, again, *others = (
        json.loads(inspect(shop, *SET, *chosen, "--seed", str(seed)).stdout) for seed in (0, 0, 1, 2, 3)
    )
    assert [each["settings"]["method"] for each in first["made"]] == ["hash"]
    assert first == again
    assert any(other["made"][0]["examples"] != first["made"][0]["examples"] for other in others)


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [(SET, 5, "the semantic IDs of sasrec-rpg-s1 are not there yet"), ([], 2, "no cell has semantic IDs")],
)
def test_what_is_not_there_is_one_line(
    shop: Shop, tmp_path: Path, changes: list[str], code: int, message: str
) -> None:
    command = ["inspect", "codes", str(shop.spec), *changes, "--store", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "grasp_bench", *command], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
