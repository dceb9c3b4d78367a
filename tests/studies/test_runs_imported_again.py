"""Runs that we export and import again give the figures that they were exported with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, make, open_shop, plan_of

from grasp_bench.core.progress import silent
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.stages.context import RunContext
from grasp_bench.studies.export.runs import RunOptions, export_cell

CONTROLS = "controls=[popularity, random, item_knn]"
STAGES = ("split", "candidates", "text", "embeddings", "control", "imported", "metrics")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = open_shop(tmp_path_factory.mktemp("round") / "shop")
    make_rows(made, plan_of(made.spec, [CONTROLS]))
    return made


def make_rows(shop: Shop, plan: Plan) -> None:
    """Everything but what models stand behind."""
    rows = tuple(cell for cell in plan.cells if cell.name)
    wanted = {node.hash for cell in rows for node in cell.nodes.values()}
    nodes = tuple(node for node in plan.nodes if node.hash in wanted)
    make(shop, Plan(plan.name, nodes, rows, {}), *STAGES)


def cell_of(shop: Shop, name: str, *overrides: str) -> Cell:
    return next(cell for cell in plan_of(shop.spec, list(overrides)).cells if cell.name == name)


def figures(shop: Shop, cell: Cell) -> dict[str, Any]:
    return json.loads(shop.store.get("metrics", cell.hash).file("metrics.json").read_text())


def exported(shop: Shop, name: str, folder: Path, asked: RunOptions) -> Path:
    context = RunContext("cpu", 1, silent)
    return export_cell(cell_of(shop, name, CONTROLS), shop.store, folder, asked, context).run


def imported(shop: Shop, run: Path, keys: str) -> dict[str, Any]:
    overrides = ["controls=[]", f"imported=[{{name: again, format: trec, run: {run}, {keys}}}]"]
    plan = plan_of(shop.spec, overrides)
    make_rows(shop, plan)
    return figures(shop, next(cell for cell in plan.cells if cell.name == "again"))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["popularity", "random", "item_knn"])
def test_among_candidates_every_figure_of_every_group(
    shop: Shop, tmp_path: Path, name: str, packed: bool
) -> None:
    run = exported(shop, name, tmp_path, RunOptions("sampled", None, packed))
    again = imported(shop, run, "holds: candidates")
    assert again == {"sampled": figures(shop, cell_of(shop, name, CONTROLS))["sampled"]}


def test_of_the_best_every_figure_down_to_the_depth(shop: Shop, tmp_path: Path) -> None:
    # Scores that never tie: where a list is cut within a tie, only a longer one tells.
    run = exported(shop, "random", tmp_path, RunOptions("full", 5))
    again = imported(shop, run, "holds: top, depth: 5")
    ours = figures(shop, cell_of(shop, "random", CONTROLS))
    assert "sampled" not in again
    for group, told in again["full"].items():
        assert set(told) == {"n", *(f"{metric}@{k}" for metric in ("NDCG", "HR", "MRR") for k in (1, 3, 5))}
        assert told == {key: ours["full"][group][key] for key in told}
    assert again["beyond"] == {key: ours["beyond"][key] for key in again["beyond"]}
    assert set(again["beyond"]) >= {"coverage@5", "novelty@1"}
    assert not any(key.endswith(("@10", "@20")) for key in again["beyond"])
