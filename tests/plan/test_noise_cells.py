"""Cells under noise: which there are, what stands between clean and corrupted, and what stays as it was."""

from __future__ import annotations

from typing import Any

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.engine.publish import identity
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.spec.experiment import Experiment

PREFIX = {"provider": "template", "scope": "prefix"}
METHODS = {"model.enhancer": ["none", "llminit", "llmesr", "grasp"]}


def plan(noise: dict[str, Any] | None = None, **sections: Any) -> Plan:
    content = {"name": "t", "dataset": {"source": "demo"}, "controls": [], "compare": METHODS, **sections}
    return compile_plan(Experiment.model_validate({**content, "noise": noise}), str)


def cells(noise: dict[str, Any] | None = None, **sections: Any) -> dict[str, Cell]:
    return {cell.slug: cell for cell in plan(noise, **sections).cells}


def test_each_rate_is_a_cell_and_rate_zero_is_the_clean_one() -> None:
    clean, found = cells(), cells({"rates": [0, 0.2]})
    assert list(found) == [
        "sasrec-none-s42",
        "sasrec-llminit-s42", "sasrec-llminit-noise_0.2-s42",
        "sasrec-llmesr-s42", "sasrec-llmesr-noise_0.2-s42",
        "sasrec-grasp-s42", "sasrec-grasp-noise_0.2-s42",
    ]  # fmt: skip
    assert {slug: found[slug].hash for slug in clean} == {slug: cell.hash for slug, cell in clean.items()}
    said = {"kind": "permute", "side": "both", "when": "before_retrieval", "rate": 0.2}
    assert identity(found["sasrec-grasp-noise_0.2-s42"])["noise"] == said
    assert identity(found["sasrec-grasp-s42"])["noise"] is None


def test_who_reads_nothing_that_is_hit_has_one_cell() -> None:
    """LLMInit reads items alone, LLM-ESR of users only who is near: neither notices users hit afterwards."""
    noise = {"rates": [0.1, 0.3], "side": "users", "when": "after_retrieval"}
    found = plan(noise)
    assert [cell.slug for cell in found.cells] == [
        "sasrec-none-s42", "sasrec-llminit-s42", "sasrec-llmesr-s42",
        "sasrec-grasp-noise_0.1-s42", "sasrec-grasp-noise_0.3-s42",
    ]  # fmt: skip
    assert found.duplicates["sasrec-llminit-noise_0.3-s42"] == "sasrec-llminit-s42"


@pytest.mark.parametrize("when", ["before_retrieval", "after_retrieval"])
@pytest.mark.parametrize("side", ["users", "items", "both"])
def test_neighbours_are_searched_before_or_after(side: str, when: str) -> None:
    base = cells()["sasrec-grasp-s42"].nodes
    nodes = cells({"rates": [0.5], "side": side, "when": when})["sasrec-grasp-noise_0.5-s42"].nodes
    for sides, role in (("users", "user"), ("items", "item")):
        hit = side in (sides, "both")
        read = nodes["train"].inputs[f"{role}_embeddings"]
        assert (read.stage == "noise") is hit
        assert (nodes["train"].inputs[f"{role}_neighbours"] != base[f"{role}_neighbours"]) is (
            hit and when == "before_retrieval"
        )
        if hit:
            assert read.inputs["embeddings"] == base[f"{role}_embeddings"] == nodes[f"{role}_clean_vectors"]


def test_wrong_texts_are_encoded_again_and_the_clean_ones_kept_for_the_search() -> None:
    base = cells()["sasrec-grasp-s42"].nodes
    noise = {"target": "text", "rates": [0.5], "side": "items", "when": "after_retrieval"}
    nodes = cells(noise)["sasrec-grasp-noise_0.5-s42"].nodes
    assert nodes["item_text"].stage == "text_noise"
    assert nodes["item_text"].inputs["text"] == base["item_text"] == nodes["item_clean_text"]
    assert nodes["item_embeddings"].inputs["text"] == nodes["item_text"]
    assert nodes["item_neighbours"] == base["item_neighbours"]
    assert nodes["user_embeddings"] == base["user_embeddings"]
    known = {node.hash for node in nodes.values()}
    assert all(each.hash in known for node in nodes.values() for each in node.inputs.values())


def test_every_setting_has_its_place_in_the_hash() -> None:
    kinds: list[dict[str, Any]] = [
        {}, {"kind": "gaussian"}, {"kind": "gaussian", "strength": 2}, {"kind": "dropout"},
        {"kind": "category_flip"}, {"side": "users"}, {"when": "after_retrieval"}, {"target": "text"},
    ]  # fmt: skip
    slug = "sasrec-grasp-noise_0.5-s42"
    hashes = [cells({"rates": [0.5], **kind})[slug].hash for kind in kinds]
    hashes.append(cells({"rates": [0.5]}, seeds=[43])["sasrec-grasp-noise_0.5-s43"].hash)
    assert len(set(hashes)) == len(hashes)
    said = cells({"rates": [0.5], "kind": "gaussian", "strength": 1})[slug].hash
    assert said == hashes[1], "the strength that is applied counts, not whether it was written"
    flip = cells({"rates": [0.5], "kind": "category_flip"})[slug].nodes["item_embeddings"]
    assert set(flip.inputs) == {"embeddings", "split"}


def test_reduced_embeddings_are_hit_after_they_are_reduced() -> None:
    encoder = {"kind": "sentence_transformers", "reduce": {"kind": "pca", "dimensions": 8}}
    for target, stages in (("embeddings", ("noise", "reduction")), ("text", ("reduction", "embeddings"))):
        found = cells({"rates": [0.5], "target": target}, encoder=encoder)["sasrec-grasp-noise_0.5-s42"]
        node = found.nodes["item_embeddings"]
        assert (node.stage, node.inputs["embeddings"].stage) == stages


def test_controls_are_made_without_noise() -> None:
    found = cells({"rates": [0, 0.5]}, controls=None)
    controls = {slug: cell for slug, cell in found.items() if cell.kind == "control"}
    clean = {slug: cell for slug, cell in cells(controls=None).items() if cell.kind == "control"}
    assert {slug: cell.hash for slug, cell in controls.items()} == {
        slug: cell.hash for slug, cell in clean.items()
    }
    only_noisy = cells({"rates": [0.5]}, controls=["item_knn"])["item_knn"]
    assert only_noisy.hash == clean["item_knn"].hash


def test_rate_one_keeps_its_name_beside_the_shuffled_control_that_is_the_same() -> None:
    grasp = {"model.enhancer": ["none", "grasp"]}
    found = cells({"rates": [0, 1]}, compare=grasp, controls=["shuffled"], seeds=[1, 2])
    assert {slug: cell.noise and cell.noise.rate for slug, cell in found.items()} == {
        "sasrec-none-s1": None, "sasrec-none-s2": None,
        "sasrec-grasp-s1": None, "sasrec-grasp-s2": None,
        "sasrec-grasp-noise_1-s1": 1, "sasrec-grasp-noise_1-s2": 1,
    }  # fmt: skip


@pytest.mark.parametrize("rates", [[0.2], [0.2, 0.4], [0, 0.2]])
def test_who_is_not_hit_bears_no_noise_however_many_rates_there_are(rates: list[float]) -> None:
    found = cells({"rates": rates, "side": "users"})
    clean = cells()
    for slug in ("sasrec-none-s42", "sasrec-llminit-s42"):
        assert found[slug].hash == clean[slug].hash
        assert found[slug].noise is found[slug].experiment.noise is None
    assert found["sasrec-grasp-noise_0.2-s42"].noise is not None


VECTORS = {"kind": "precomputed", "users": "u.npy", "items": "i.npy"}


@pytest.mark.parametrize(
    ("noise", "sections", "words"),
    [
        ({"rates": [0.5], "target": "text"}, {"encoder": VECTORS}, "needs texts, but the encoder"),
        ({"rates": [0.5]}, {"text": {"users": PREFIX}}, "applies to users, not to their prefixes"),
        ({"rates": [0.4, 0.2]}, {}, "ascend"),
        ({"rates": [1.2]}, {}, "rates must lie in"),
        ({"kind": "gaussian", "target": "text"}, {}, "target text takes kind: permute"),
        ({"strength": 1}, {}, "kind permute reads no strength"),
        ({"kind": "dropout", "strength": 1.5}, {}, "strength of dropout is at most 1"),
    ],
)
def test_what_makes_no_sense_is_refused(noise: dict[str, Any], sections: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Experiment.model_validate({"name": "t", "dataset": {"source": "demo"}, "noise": noise, **sections})


def test_rates_count_towards_what_a_spec_may_ask() -> None:
    with pytest.raises(SpecError, match="rates"):
        plan({"rates": [k / 1000 for k in range(1000)]}, seeds=list(range(1000)))
