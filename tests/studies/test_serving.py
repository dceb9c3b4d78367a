"""Which trained cells a study of item vectors takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_bench.core.errors import StoreError, UnknownNameError
from grasp_bench.core.integrity import SIDECAR
from grasp_bench.core.store import Store
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.spec.experiment import Experiment
from grasp_bench.studies.serving import trained_cells


@pytest.fixture
def plan() -> Plan:
    compared = {"model.enhancer": ["none", "rpg", "tiger"]}
    content = {"name": "t", "dataset": {"source": "demo"}, "controls": ["popularity"], "compare": compared}
    return compile_plan(Experiment.model_validate(content), str)


def finish(store: Store, plan: Plan, slug: str) -> None:
    """Put what a cell's model is made of into the store, without its content."""
    train = next(cell for cell in plan.cells if cell.slug == slug).nodes["train"]
    for node in (train, *train.inputs.values()):
        folder = store.folder(node.stage, node.hash)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SIDECAR).write_text("{}")


def test_others_are_left_out_with_the_reason(plan: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path)
    for slug in ("sasrec-none-s42", "tiger-s42"):
        finish(store, plan, slug)
    cells, left_out = trained_cells(plan, store)
    assert [cell.slug for cell in cells] == ["sasrec-none-s42"]
    assert left_out == [
        "left out: sasrec-rpg-s42 is not trained yet",
        "left out: tiger-s42 is a network of its own, without item vectors",
    ]


def test_a_plan_without_any_says_what_to_do(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no cell of t is trained yet"):
        trained_cells(plan, Store(tmp_path))
    with pytest.raises(UnknownNameError, match="networks of their own, without item vectors") as alone:
        trained_cells(plan.only("tiger*"), Store(tmp_path))
    assert alone.value.hint == "choose others with --only"
    with pytest.raises(UnknownNameError, match="no cell of these is trained"):
        trained_cells(plan.only("popularity"), Store(tmp_path))


def test_a_network_of_its_own_has_no_backbone(plan: Plan) -> None:
    named = {cell.slug: cell.backbone for cell in plan.cells}
    assert named == {
        "sasrec-none-s42": "sasrec", "sasrec-rpg-s42": "sasrec", "tiger-s42": None, "popularity": None,
    }  # fmt: skip
