"""`time_ties`, `ascending_runs` and `order_seed` in specs: names, hashes, and what they forbid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.compile import compile_plan
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.loading import load_text
from grasp_bench.spec.locations import locate
from grasp_bench.spec.repair import Repair, hashed, repair_of

VECTORS = {"kind": "precomputed", "users": "u.npy", "items": "i.npy"}
WRITTEN = {"users": {"provider": "precomputed", "path": "profiles.csv"}}


def experiment(repair: dict[str, Any], **sections: Any) -> Experiment:
    return Experiment(name="x", dataset={"source": "demo", "repair": repair}, **sections)


def split_hash(text: str) -> str:
    plan = compile_plan(load_text(f"name: x\ndataset: {{source: demo{text}}}\n", "x").experiment, str)
    return plan.cells[0].nodes["split"].hash


def test_what_is_left_at_the_default_keeps_its_hash() -> None:
    plain = split_hash("")
    assert plain == "3534d6e6bfdb7b1d"  # as it was named before there was a choice of orders
    assert plain == split_hash(", repair: {time_ties: keep, ascending_runs: keep, order_seed: 7}")
    others = [
        split_hash(f", repair: {{{keys}}}")
        for keys in (
            "time_ties: refuse", "time_ties: shuffle", "time_ties: block", "ascending_runs: shuffle",
            "time_ties: shuffle, order_seed: 7",
        )
    ]  # fmt: skip
    assert len({plain, *others}) == 6


@pytest.mark.parametrize(
    "keys",
    [{}, {"time_ties": "refuse"}, {"time_ties": "block", "order_seed": 3}, {"ascending_runs": "shuffle"}],
)
def test_hashed_keys_are_read_back(keys: dict[str, Any]) -> None:
    assert repair_of(hashed(Repair(**keys))) == Repair(**keys)


def test_the_old_word_is_answered_by_the_new_one() -> None:
    with pytest.raises(SpecError, match="'file_order' is now called 'keep'"):
        load_text("name: x\ndataset: {source: demo, repair: {time_ties: file_order}}\n", "x")


def test_the_name_of_the_dataset_says_it() -> None:
    sampled = Dataset(source="demo", sample_users=50, repair={"time_ties": "shuffle", "order_seed": 3})
    assert locate(sampled).name == "demo (sample of 50 users, equal times shuffled, seed 3)"
    assert locate(Dataset(source="demo")).name == "demo"


def test_one_way_of_shuffling() -> None:
    with pytest.raises(ValueError, match="leave one of the two out"):
        Repair(time_ties="shuffle", ascending_runs="shuffle")


def test_masked_training_knows_no_steps() -> None:
    with pytest.raises(ValueError, match="does not see items of the same time; bert4rec"):
        experiment({"time_ties": "block"}, model={"backbone": "bert4rec"})
    with pytest.raises(ValueError, match=r"set model\.causal: true"):
        experiment({"time_ties": "block"}, model={"causal": False})
    experiment({"time_ties": "shuffle"}, model={"backbone": "bert4rec"})
    spec = """
name: x
dataset: {source: demo, repair: {time_ties: block}}
compare: {model.backbone: [gru4rec, bert4rec]}
"""
    with pytest.raises(SpecError, match="bert4rec reads the items on both sides"):
        compile_plan(load_text(spec, "x").experiment, str)


@pytest.mark.parametrize("repair", [{"time_ties": "block"}, {"ascending_runs": "shuffle"}])
def test_users_told_of_another_order_are_refused(repair: dict[str, Any]) -> None:
    for sources in ({"encoder": VECTORS}, {"text": WRITTEN}):
        for enhancer in ("grasp", "rlmrec", "llmesr"):
            with pytest.raises(ValueError, match=r"made from the file's order.*leaks: mark"):
                experiment(repair, model={"enhancer": enhancer}, **sources)
        # Items are told of no history, and what reads no user is told nothing.
        experiment(repair, model={"enhancer": "llminit"}, **sources)
        experiment({}, model={"enhancer": "grasp"}, **sources)
    items = {"items": {"provider": "precomputed", "path": "items.csv"}}
    experiment(repair, model={"enhancer": "grasp"}, text=items)
    experiment(repair, model={"enhancer": "grasp"}, encoder={**VECTORS, "leaks": "mark"})
    marked = {"users": {**WRITTEN["users"], "leaks": "mark"}}
    experiment(repair, model={"enhancer": "grasp"}, text=marked)


def test_a_marked_source_is_named_with_its_order(tmp_path: Path) -> None:
    from grasp_bench.plan.cells import marked_leaks

    path = tmp_path / "profiles.csv"
    path.write_text("user_id,text\n")
    text = f"""
name: x
dataset: {{source: demo, repair: {{time_ties: shuffle}}}}
text: {{users: {{provider: precomputed, path: {path}, leaks: mark}}}}
model: {{enhancer: grasp}}
controls: []
"""
    (cell,) = compile_plan(load_text(text, "x").experiment, str).cells
    assert marked_leaks(cell) == ["text.users (scope: train, of another order)"]
