"""What each switch of the protocol does to nodes: nothing at its default, and no more than it must."""

from __future__ import annotations

from typing import Any

import pytest

from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.nodes import STAGE_VERSIONS, Node
from grasp_bench.plan.selection import plan_of, with_model_of
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.patches import apply_patch

BASE = Experiment.model_validate(
    {"name": "t", "dataset": {"source": "demo"}, "controls": ["markov"], "model": {"embedding_dim": 8}}
)


def cells(patch: dict[str, Any] | None = None) -> dict[str, dict[str, Node]]:
    plan = compile_plan(apply_patch(BASE, patch or {}), str)
    return {cell.slug: dict(cell.nodes) for cell in plan.cells}


def changed(patch: dict[str, Any], slug: str = "sasrec-none-s42") -> set[str]:
    before, after = cells()[slug], cells(patch)[slug]
    return {role for role, node in after.items() if before.get(role) != node}


def test_settings_at_their_defaults_are_those_of_before_the_switches() -> None:
    """Written out by hand: artefacts that are in stores are named by these."""
    nodes = cells()["sasrec-none-s42"]
    assert nodes["candidates"].settings == {"negatives": 100, "seed": 42}
    assert nodes["train"].settings["validation"] == {"ties": "mean"}
    groups = {"rule": "pareto", "head_user_from": None, "head_item_from": None, "count_on": "train"}
    assert nodes["metrics"].settings["groups"] == groups
    assert set(nodes["split"].settings) == {
        "source", "items", "columns", "min_user", "min_item", "core", "repair", "split", "files",
    }  # fmt: skip
    assert set(nodes) == {"split", "candidates", "train", "rank", "metrics"}
    protocol_hash = compile_plan(BASE, str).cells[0].protocol_hash
    assert protocol_hash == content_hash(
        {
            "split": nodes["split"].hash,
            "candidates": nodes["candidates"].hash,
            "ties": "mean",
            "exclude_history": True,
            "also_full_ranking": True,
            "groups": groups,
        }
    )


MODEL = {"train", "rank", "metrics"}


@pytest.mark.parametrize(
    ("patch", "roles"),
    [
        ({"dataset.protocol.validation_negatives": "outside_known"}, {"candidates"} | MODEL),
        ({"dataset.protocol.candidates": "redrawn"}, {"candidates", "ranked_candidates"} | MODEL),
        ({"dataset.protocol.groups.first_user": "skipped"}, {"metrics"}),
        ({"dataset.protocol.temporal.test_share": 0.2}, set()),
        ({"dataset.protocol.split": "temporal"}, {"split", "candidates"} | MODEL),
    ],
    ids=["outside_known", "redrawn", "first_user", "share_of_no_cut", "temporal"],
)
def test_a_switch_reaches_exactly_the_nodes_below_it(patch: dict[str, Any], roles: set[str]) -> None:
    assert changed(patch) == roles


def test_only_the_cuts_that_count_are_part_of_a_split_in_time() -> None:
    shares = {"dataset.protocol.split": "temporal", "dataset.protocol.temporal.test_share": 0.2}
    given = {"valid_from": 5, "test_from": 9}
    both = {"dataset.protocol.split": "temporal", "dataset.protocol.temporal": {**given, "test_share": 0.2}}
    alone = {"dataset.protocol.split": "temporal", "dataset.protocol.temporal": given}
    splits = [cells(patch)["markov"]["split"] for patch in (shares, both, alone)]
    assert splits[1] == splits[2] != splits[0]
    assert splits[0].settings["temporal"] == {"valid_share": 0.1, "test_share": 0.2}


def test_redrawn_negatives_are_of_a_cell_and_the_pool_of_all() -> None:
    two_seeds = BASE.model_copy(update={"seeds": (1, 2)})
    plan = compile_plan(apply_patch(two_seeds, {"dataset.protocol.candidates": "redrawn"}), str)
    assert len({cell.nodes["candidates"].hash for cell in plan.cells}) == 1
    assert len({cell.nodes["ranked_candidates"].hash for cell in plan.cells}) == len(plan.cells) == 3
    assert len({cell.protocol_hash for cell in plan.cells}) == 1


def test_a_trained_model_is_measured_by_another_protocol() -> None:
    strict = compile_plan(BASE, str).cells
    asked = compile_plan(apply_patch(BASE, {"dataset.protocol.ties": "optimistic"}), str).cells
    assert asked[0].nodes["train"] != strict[0].nodes["train"]  # early stopping breaks ties, too
    model, control = (with_model_of(*pair) for pair in zip(strict, asked, strict=True))
    assert model.nodes["train"] == strict[0].nodes["train"]
    assert model.nodes["rank"] == strict[0].nodes["rank"]
    assert model.nodes["metrics"].settings["ties"] == "optimistic"
    assert model.hash not in {strict[0].hash, asked[0].hash}
    assert control == asked[1]
    assert model.protocol_hash == control.protocol_hash == asked[0].protocol_hash


def test_a_plan_of_cells_has_inputs_first() -> None:
    found = plan_of("some/where", compile_plan(BASE, str).cells)
    place = {node.hash: index for index, node in enumerate(found.nodes)}
    assert all(place[up.hash] < place[node.hash] for node in found.nodes for up in node.inputs.values())
    assert {node.stage for node in found.nodes} <= set(STAGE_VERSIONS)
    assert found.name == "some/where"
