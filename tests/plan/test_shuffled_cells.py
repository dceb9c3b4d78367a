"""Shuffled embeddings: which cells they make, of which nodes, and what they leave as it was."""

from __future__ import annotations

from typing import Any

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import compile_plan
from grasp_bench.spec.experiment import Experiment

METHODS = {"model.enhancer": ["none", "grasp"]}


def cells(**sections: Any) -> dict[str, Cell]:
    content = {"name": "t", "dataset": {"source": "demo"}, "controls": ["shuffled"], **sections}
    return {cell.slug: cell for cell in compile_plan(Experiment.model_validate(content), str).cells}


def test_it_is_the_base_cell_with_noise_between_embeddings_and_what_reads_them() -> None:
    found = cells(compare=METHODS)
    assert list(found) == ["sasrec-none-s42", "sasrec-grasp-s42", "sasrec-grasp-shuffled-s42"]
    base, control = found["sasrec-grasp-s42"], found["sasrec-grasp-shuffled-s42"]
    assert [cell.kind for cell in found.values()] == ["trained", "trained", "control"]
    assert control.nodes["train"].settings == base.nodes["train"].settings
    for side in ("user", "item"):
        noise = control.nodes[f"{side}_embeddings"]
        assert noise.settings == {"side": f"{side}s", "kind": "permute", "rate": 1.0, "seed": 42}
        assert noise.inputs["embeddings"] == base.nodes[f"{side}_embeddings"]
        assert control.nodes[f"{side}_neighbours"].inputs["embeddings"] == noise
        assert control.nodes["train"].inputs[f"{side}_embeddings"] == noise
    assert control.nodes["train"].inputs.keys() == base.nodes["train"].inputs.keys()
    assert control.protocol_hash == base.protocol_hash


def test_reduced_vectors_are_disturbed_after_they_are_reduced() -> None:
    reduce = {"kind": "pca", "dimensions": 8}
    found = cells(compare=METHODS, encoder={"kind": "sentence_transformers", "reduce": reduce})
    noise = found["sasrec-grasp-shuffled-s42"].nodes["item_embeddings"]
    assert (noise.stage, noise.inputs["embeddings"].stage) == ("noise", "reduction")
    assert all(
        not role.endswith("_vectors") for role in found["sasrec-grasp-shuffled-s42"].nodes["train"].inputs
    )


def test_one_seed_unless_all_are_asked_for() -> None:
    names = ["sasrec-grasp-shuffled-s1", "sasrec-grasp-shuffled-s2"]
    one, every = (
        cells(seeds=[1, 2], compare=METHODS),
        cells(seeds=[1, 2], compare=METHODS, control_seeds="all"),
    )
    assert [slug for slug in one if "shuffled" in slug] == names[:1]
    assert [slug for slug in every if "shuffled" in slug] == names


def test_other_compared_keys_do_not_multiply_it() -> None:
    compare = {"model.backbone": ["sasrec", "gru4rec"], **METHODS, "index.num_neighbours": [5, 10]}
    shuffled = [cell for cell in cells(compare=compare).values() if cell.kind == "control"]
    assert [(cell.experiment.model.backbone, dict(cell.variant)) for cell in shuffled] == [
        ("sasrec", {"index.num_neighbours": 5}),
        ("gru4rec", {"index.num_neighbours": 5}),
    ]


def test_every_other_cell_keeps_its_hashes() -> None:
    without = cells(compare=METHODS, controls=[])
    found = cells(compare=METHODS)
    assert {slug: cell.hash for slug, cell in found.items() if cell.kind == "trained"} == {
        slug: cell.hash for slug, cell in without.items()
    }


def test_named_where_nothing_reads_embeddings_it_is_refused() -> None:
    with pytest.raises(SpecError, match="shuffled needs a compared method that reads embeddings"):
        cells()
