"""Every split of a plan has its own dataset card, under a name that says what is particular to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grasp_bench.core.store import Store
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment
from grasp_bench.studies.cards import dataset_cards


def compiled(**sections: Any) -> Plan:
    spec = Experiment.model_validate({"name": "t", "dataset": {"source": "demo"}, "controls": [], **sections})
    return compile_plan(spec, str)


def keep_card(store: Store, split: Node, card: dict[str, Any]) -> None:
    with store.writing("split", split.hash, {}) as folder:
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def test_one_split_has_the_name_of_its_dataset(tmp_path: Path) -> None:
    plan, store = compiled(seeds=[1, 2]), Store(tmp_path)
    assert dataset_cards(plan, store) == {}
    keep_card(store, plan.cells[0].nodes["split"], {"users": 3})
    assert dataset_cards(plan, store) == {"demo": {"users": 3}}


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
