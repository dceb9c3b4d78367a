"""Controls: which cells they make, of which nodes, and what they leave as it was."""

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
    found = cells(compare=METHODS, controls=None)
    assert {slug: cell.hash for slug, cell in found.items() if cell.kind == "trained"} == {
        slug: cell.hash for slug, cell in without.items()
    }


def test_named_where_nothing_reads_embeddings_it_is_refused() -> None:
    with pytest.raises(SpecError, match="shuffled needs a compared method that reads embeddings"):
        cells()


COUNTING = ["popularity", "markov", "markov_symmetric", "markov_backoff", "item_cf", "sequence_knn"]
UNTRAINED = [*COUNTING, "item_knn", "random", "constant"]


def test_all_that_apply_are_there_when_nothing_is_said() -> None:
    found = cells(compare=METHODS, seeds=[1, 2], controls=None)
    assert list(found) == [
        "sasrec-none-s1", "sasrec-none-s2", "sasrec-grasp-s1", "sasrec-grasp-s2", "sasrec-grasp-shuffled-s1",
        *UNTRAINED,
    ]  # fmt: skip
    assert list(cells(controls=None)) == ["sasrec-none-s42", *(x for x in UNTRAINED if x != "item_knn")]
    assert list(cells(controls=[])) == ["sasrec-none-s42"]


def test_ease_is_made_only_when_it_is_named() -> None:
    assert list(cells(controls=["ease"])) == ["sasrec-none-s42", "ease"]
    assert "ease" not in cells(controls=None)


def test_an_untrained_control_ranks_by_the_nodes_and_settings_of_models() -> None:
    found = cells(compare=METHODS, controls=None)
    model = found["sasrec-grasp-s42"]
    for name in UNTRAINED:
        cell = found[name]
        rank, metrics = cell.nodes["rank"], cell.nodes["metrics"]
        assert (cell.kind, cell.name, cell.seed, cell.ablation) == ("control", name, None, None)
        assert rank.stage == "control"
        assert rank.settings == {"control": name, **model.nodes["rank"].settings}
        assert metrics.settings == model.nodes["metrics"].settings
        assert cell.protocol_hash == model.protocol_hash
        assert rank.inputs["candidates"] == model.nodes["rank"].inputs["candidates"]
        reads = {"split", "candidates"} | ({"item_embeddings"} if name == "item_knn" else set())
        assert set(rank.inputs) == reads
        assert "train" not in cell.nodes
    assert found["item_knn"].nodes["item_embeddings"] == model.nodes["item_embeddings"]


def test_controls_are_as_many_as_there_are_rankings_and_item_embeddings() -> None:
    compare = {**METHODS, "dataset.min_user": [3, 4], "encoder.max_tokens": [64, 128]}
    found = [cell for cell in cells(compare=compare, controls=None).values() if cell.name]
    assert len({cell.hash for cell in found}) == len(found)
    counts = {name: sum(cell.name == name for cell in found) for name in UNTRAINED}
    assert counts == {name: 4 if name == "item_knn" else 2 for name in UNTRAINED}
    assert {tuple(cell.variant) for cell in found if cell.name == "markov"} == {("dataset.min_user",)}


def test_they_come_before_trainings_and_are_no_duplicates() -> None:
    content = {"name": "t", "dataset": {"source": "demo"}, "compare": METHODS, "seeds": [1, 2]}
    plan = compile_plan(Experiment.model_validate(content), str)
    stages = [node.stage for node in plan.nodes]
    last = max(place for place, stage in enumerate(stages) if stage == "control")
    assert last < stages.index("train")
    assert plan.duplicates == {}


def test_hypotheses_may_name_them() -> None:
    content = {
        "name": "t", "dataset": {"source": "demo"}, "compare": METHODS,
        "hypotheses": [{"better": "grasp", "than": "markov"}, {"better": "grasp", "than": "grasp/shuffled"}],
    }  # fmt: skip
    compile_plan(Experiment.model_validate(content), str)


def test_an_ablation_may_not_take_the_name_of_the_control() -> None:
    with pytest.raises(ValueError, match="'shuffled' is the name of a control"):
        cells(ablations={"shuffled": {"model.dropout": 0.1}})
