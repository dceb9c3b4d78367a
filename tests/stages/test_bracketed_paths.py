"""Paths hold what people call their folders: brackets and stars in them are no pattern."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

from small_shop import make, open_shop, plan_of

from grasp_bench.core.store import Store
from grasp_bench.plan.nodes import Node

STAGES = ("split", "candidates", "text", "embeddings", "neighbours", "control", "metrics")


def test_data_and_store_lie_in_folders_with_brackets(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "plain")
    data = tmp_path / "data [of 2026]*"
    shutil.copytree(tmp_path / "plain", data)
    shop = replace(shop, store=Store(tmp_path / "store [2]"))
    plan = plan_of(shop.spec, [f"dataset.source={json.dumps(str(data))}", "controls=[item_knn]"])
    for stage in STAGES:
        wanted = replace(plan, nodes=tuple(n for n in plan.nodes if "train" not in _stages_behind(n)))
        make(shop, wanted, stage)
    control = next(cell for cell in plan.cells if cell.name == "item_knn")
    assert shop.store.has("metrics", control.hash)


def _stages_behind(node: Node) -> set[str]:
    return {each.stage for each in (node, *node.ancestors())}
