"""A hash changes when, and only when, something that decides the result does."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grasp_bench.components import BACKBONES, ENHANCERS
from grasp_bench.core.hashing import content_hash, file_hash
from grasp_bench.plan.compile import compile_plan
from grasp_bench.plan.nodes import Node, make_node
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.patches import apply_patch

BASE = Experiment.model_validate(
    {
        "name": "t",
        "dataset": {"source": "demo"},
        "controls": [],
        "index": {"kind": "hnsw"},
        "model": {"enhancer": "grasp", "embedding_dim": 32},
        "training": {"monitor_protocol": "full"},
    }
)
MODEL = {"train", "rank", "metrics"}
ITEMS = {"item_text", "item_embeddings", "item_neighbours"}
USERS = {"user_text", "user_embeddings", "user_neighbours"}
ALL = {"split", "candidates"} | ITEMS | USERS | MODEL
EMBEDDINGS = (ITEMS | USERS) - {"item_text", "user_text"}
NEIGHBOURS = {"item_neighbours", "user_neighbours"}

# Patch to the roles whose hash it changes.
CHANGES: list[tuple[dict[str, Any], set[str]]] = [
    ({"dataset.min_item": 2}, ALL),
    ({"dataset.repair.duplicates": "drop"}, ALL),
    ({"dataset.protocol.negatives": 50}, {"candidates"} | MODEL),
    ({"dataset.protocol.candidate_seed": 7}, {"candidates"} | MODEL),
    ({"dataset.protocol.ties": "optimistic"}, MODEL),
    ({"dataset.protocol.exclude_history": False}, MODEL),
    ({"dataset.protocol.also_full_ranking": False}, {"rank", "metrics"}),
    ({"dataset.protocol.cutoffs": [1, 10, 50]}, {"rank", "metrics"}),
    ({"dataset.protocol.cutoffs": [10, 20]}, {"metrics"}),
    ({"dataset.protocol.groups.count_on": "all"}, {"metrics"}),
    ({"text.items.missing": "none"}, ITEMS | MODEL),
    ({"text.users.order": "oldest_first"}, USERS | MODEL),
    ({"text.items.order": "oldest_first"}, set()),
    ({"encoder.max_tokens": 64}, EMBEDDINGS | MODEL),
    ({"index.num_neighbours": 3}, NEIGHBOURS | MODEL),
    ({"index.ef_search": 64}, NEIGHBOURS | MODEL),
    ({"index.restrict_items_to": "categories"}, {"item_neighbours"} | MODEL),
    ({"model.attention": "softmax"}, MODEL),
    ({"model.layers": 3}, set()),
    ({"model.mask_probability": 0.3}, set()),
    ({"training.lr": 0.01}, MODEL),
    ({"seeds": [7]}, MODEL),
    ({"description": "other words"}, set()),
    ({"name": "other"}, set()),
    ({"hypotheses": [{"better": "grasp", "than": "none"}]}, set()),
]


def hashes(experiment: Experiment) -> dict[str, str]:
    (cell,) = compile_plan(experiment, str).cells
    return {role: node.hash for role, node in cell.nodes.items()}


@pytest.mark.parametrize(
    ("patch", "roles"),
    CHANGES,
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:50],
)
def test_a_change_reaches_exactly_the_nodes_below_it(patch: dict[str, Any], roles: set[str]) -> None:
    before, after = hashes(BASE), hashes(apply_patch(BASE, patch))
    assert {role for role in before if before[role] != after[role]} == roles


def test_validation_on_sampled_candidates_does_not_read_exclude_history() -> None:
    sampled = apply_patch(BASE, {"training.monitor_protocol": "sampled"})
    before = hashes(sampled)
    after = hashes(apply_patch(sampled, {"dataset.protocol.exclude_history": False}))
    assert {role for role in before if before[role] != after[role]} == {"rank", "metrics"}


@pytest.mark.parametrize("patch", [{"index.ef_search": 64}, {"index.m": 8}, {"index.seed": 1}])
def test_exact_search_does_not_read_the_graph_settings(patch: dict[str, Any]) -> None:
    exact = apply_patch(BASE, {"index.kind": "exact"})
    assert hashes(exact) == hashes(apply_patch(exact, patch))


DIMS = {"blocks": st.integers(1, 4), "layers": st.integers(1, 4), "mask_probability": st.floats(0.1, 0.9),
        "causal": st.booleans(), "attention": st.sampled_from(["sigmoid", "softmax", "none"]),
        "mlp_depth": st.integers(1, 4), "id_residual": st.booleans(),
        "logit_scale": st.sampled_from(["fixed", "learnable"])}  # fmt: skip


@settings(max_examples=40)
@given(
    backbone=st.sampled_from(sorted(BACKBONES)),
    enhancer=st.sampled_from(sorted(ENHANCERS)),
    values=st.fixed_dictionaries({}, optional=DIMS),
)
def test_keys_of_other_components_never_matter(backbone: str, enhancer: str, values: dict[str, Any]) -> None:
    base = apply_patch(BASE, {"model.backbone": backbone, "model.enhancer": enhancer})
    assume("codes_signals_teacher" not in hashes(base))  # a SASRec is trained for its codes
    reading = (
        [ENHANCERS.get(enhancer)]
        if ENHANCERS.get(enhancer).whole_model
        else [
            BACKBONES.get(backbone),
            ENHANCERS.get(enhancer),
        ]
    )
    read = {key for each in reading for key in each.own_keys()}
    irrelevant = {f"model.{key}": value for key, value in values.items() if key not in read}
    relevant = {f"model.{key}": value for key, value in values.items() if key in read}
    assert hashes(apply_patch(base, irrelevant)) == hashes(base)
    changed = apply_patch(base, relevant)
    assert (hashes(changed) != hashes(base)) == (changed.model.effective() != base.model.effective())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), JSON, max_size=6), st.randoms(use_true_random=False))
def test_key_order_never_matters(value: dict[str, Any], order: random.Random) -> None:
    assert content_hash(value) == content_hash(shuffled(value, order))
    assert make_node("train", value, {}, "a") == make_node("train", shuffled(value, order), {}, "b")


def test_inputs_count_by_role_and_labels_do_not() -> None:
    a, b = make_node("split", {"x": 1}, {}, "a"), make_node("split", {"x": 2}, {}, "b")
    forth = make_node("train", {}, {"left": a, "right": b}, "one name")
    back = make_node("train", {}, {"left": b, "right": a}, "one name")
    assert forth != back
    assert make_node("train", {}, {"right": b, "left": a}, "another name") == forth
    assert [node.hash for node in forth.ancestors()] == [a.hash, b.hash]


def test_ancestors_come_once_and_inputs_first() -> None:
    split = make_node("split", {}, {}, "s")
    text = make_node("text", {}, {"split": split}, "t")
    train = make_node("train", {}, {"text": text, "split": split}, "m")
    assert list(train.ancestors()) == [split, text]
    assert isinstance(hash(train), int)
    assert {train: 1}[Node("train", {}, {}, train.hash, "same hash, same node")] == 1


def with_files(folder: Path) -> Experiment:
    """A spec that reads interactions, a text template and vectors from a folder."""
    folder.mkdir()
    (folder / "interactions.csv").write_text("user_id,item_id,position\n")
    for side in ("users", "items"):
        (folder / f"{side}.npy").write_bytes(side.encode())
        (folder / f"{side}.ids.txt").write_text(side)
    vectors = {side: str(folder / f"{side}.npy") for side in ("users", "items")}
    return Experiment.model_validate(
        {
            "name": "t",
            "dataset": {"source": str(folder)},
            "controls": [],
            "encoder": {"kind": "precomputed", **vectors},
            "model": {"enhancer": "grasp"},
        }
    )


def test_files_count_by_their_content_and_not_by_where_they_lie(tmp_path: Path) -> None:
    one, other = with_files(tmp_path / "one"), with_files(tmp_path / "other")
    (cell,), (moved,) = (compile_plan(spec, file_hash).cells for spec in (one, other))
    assert {role: node.hash for role, node in cell.nodes.items()} == {
        role: node.hash for role, node in moved.nodes.items()
    }
    assert cell.nodes["split"].located()["source"] == str(tmp_path / "one")
    assert moved.nodes["user_embeddings"].located()["encoder"]["users"] == str(
        tmp_path / "other" / "users.npy"
    )
    assert "items" not in moved.nodes["user_embeddings"].located()["encoder"]
    (tmp_path / "other" / "users.npy").write_bytes(b"changed")
    (changed,) = compile_plan(other, file_hash).cells
    differ = {role for role, node in changed.nodes.items() if node.hash != cell.nodes[role].hash}
    assert differ == {"user_embeddings", "user_neighbours", *MODEL}
