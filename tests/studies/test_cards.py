"""Every split of a plan has its own dataset card, under a name that says what is particular to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grasp_bench.core.hashing import file_hash
from grasp_bench.core.progress import silent
from grasp_bench.core.store import Store
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment
from grasp_bench.stages.context import RunContext
from grasp_bench.stages.split import SplitStage
from grasp_bench.studies.running import dataset_cards


def compiled(fingerprint: Callable[[Path], str] = str, **sections: Any) -> Plan:
    spec = Experiment.model_validate({"name": "t", "dataset": {"source": "demo"}, "controls": [], **sections})
    return compile_plan(spec, fingerprint)


def keep_card(store: Store, split: Node, card: dict[str, Any]) -> None:
    with store.writing("split", split.hash, {}) as folder:
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def test_one_split_has_the_name_of_its_dataset(tmp_path: Path) -> None:
    plan, store = compiled(seeds=[1, 2]), Store(tmp_path)
    assert dataset_cards(plan, store) == {}
    keep_card(store, plan.cells[0].nodes["split"], {"users": 3})
    assert dataset_cards(plan, store) == {"demo": {"users": 3}}


def test_a_card_of_an_earlier_version_is_completed(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    lines = [f"u{user},i{item:02},{item}" for user in range(60) for item in range(4)]
    (tmp_path / "shop" / "interactions.csv").write_text("user_id,item_id,position\n" + "\n".join(lines))
    plan, store = compiled(file_hash, dataset={"source": str(tmp_path / "shop")}), Store(tmp_path / "store")
    split = plan.cells[0].nodes["split"]
    with store.writing("split", split.hash, {}) as folder:
        SplitStage().run(split, {}, folder, RunContext("cpu", 1, silent))
        now = json.loads((folder / "card.json").read_text())
        before = {key: value for key, value in now.items() if key not in ("item_order", "warnings")}
        (folder / "card.json").write_text(json.dumps(before))
    assert dataset_cards(plan, store) == {"shop": now}
    assert now["item_order"]["neighbours"] == {"pairs": 180, "ascending": 1.0, "implied_ties": 1.0}


def test_compared_splits_of_one_dataset_have_a_card_each(tmp_path: Path) -> None:
    compare = {"dataset.min_user": [3, 5], "dataset.repair.duplicates": ["keep", "drop"]}
    plan, store = compiled(compare=compare), Store(tmp_path)
    for number, cell in enumerate(plan.cells[:3]):
        keep_card(store, cell.nodes["split"], {"users": number})
    assert dataset_cards(plan, store) == {
        "demo (min_user=3, repair.duplicates=keep)": {"users": 0},
        "demo (min_user=3, repair.duplicates=drop)": {"users": 1},
        "demo (min_user=5, repair.duplicates=keep)": {"users": 2},
    }
