"""How long a plan may take: sizes of the data, assumed work, and what earlier runs teach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core import hashing, machine
from grasp_bench.core.store import Store
from grasp_bench.models.backbones.llm_settings import parameters
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.estimate import START_SECONDS, USUAL_BEST, estimate
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.sizes import Sizes, split_of
from grasp_bench.plan.work import work_of
from grasp_bench.spec.experiment import Experiment

ALL = ["none", "llminit", "rlmrec", "llmesr", "grasp"]


def plan_of(**sections: Any) -> Plan:
    base = {"name": "t", "dataset": {"source": "demo"}, "model": {"enhancer": "grasp"}, "controls": []}
    return compile_plan(Experiment.model_validate(base | sections), str)


def trainings(plan: Plan) -> list[Node]:
    return [cell.nodes["train"] for cell in plan.cells]


def took(store: Store, node: Node, seconds: float, here: str | None = None, **facts: Any) -> None:
    """Finish a node, and what it is made from, as if it alone had taken time."""
    for each in (*node.ancestors(), node):
        if store.has(each.stage, each.hash):
            continue
        sizes = {"users": 1_500, "items": 600, "interactions": 15_000} if each.stage == "split" else {}
        sidecar = {
            "stage": each.stage, "machine": here or machine.describe("cpu"),
            "settings": dict(each.settings), "places": dict(each.locations),
            "inputs": {role: upstream.hash for role, upstream in each.inputs.items()},
            "facts": facts if each is node else sizes,
        }  # fmt: skip
        with store.writing(each.stage, each.hash, sidecar):
            pass
        path = store.folder(each.stage, each.hash) / "artefact.json"
        told = {"seconds": seconds if each is node else 0}
        hashing.write(path, hashing.without_checksum(json.loads(path.read_text())) | told)


def learned(plan: Plan, store: Store) -> dict[str, float]:
    return dict(estimate(plan, plan.nodes, store, 1).node_seconds)


def test_a_training_teaches_how_long_the_next_seed_takes(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), plan_of(seeds=[1, 2])
    first, second = trainings(plan)
    rough = estimate(plan, plan.nodes, store, 1)
    assert rough.learned == 0
    took(store, first, 1000.0, epochs=70, best_epoch=50, stopped="early")
    again = estimate(plan, plan.nodes, store, 1)
    assert again.node_seconds[second.hash] == pytest.approx(1000, rel=0.1)
    assert again.passes[second.hash] == 70
    assert again.learned > 0.5


def test_a_training_teaches_how_fast_the_machine_is(tmp_path: Path) -> None:
    """Other methods, widths, losses and stages are as much slower as the one that was measured."""
    store, plan = (
        Store(tmp_path),
        plan_of(compare={"model.enhancer": ALL}, training={"max_epochs": 100, "patience": 100}),
    )
    plain = trainings(plan)[0]
    before = learned(plan, store)
    took(store, plain, 5 * before[plain.hash], epochs=100, best_epoch=100, stopped="max_epochs")
    after = learned(plan, store)
    for node in plan.nodes:
        assert after[node.hash] == pytest.approx(5 * before[node.hash], rel=0.2)
    wide = plan_of(
        model={"embedding_dim": 128}, training={"loss": "softmax", "max_epochs": 100, "patience": 100}
    )
    (node,) = trainings(wide)
    assert learned(wide, store)[node.hash] == pytest.approx(
        5 * learned(wide, Store(tmp_path / "none"))[node.hash], rel=0.2
    )


def test_what_is_more_alike_teaches_more(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), plan_of(compare={"model.enhancer": ["none", "grasp"]}, seeds=[1, 2])
    before = learned(plan, store)
    none, none_again, grasp, grasp_again = trainings(plan)
    for node, times in ((none, 2), (grasp, 6)):
        took(store, node, times * before[node.hash], epochs=100, best_epoch=80, stopped="early")
    after = learned(plan, store)
    assert after[none_again.hash] == pytest.approx(2 * before[none.hash], rel=0.1)
    assert after[grasp_again.hash] == pytest.approx(6 * before[grasp.hash], rel=0.1)


def test_a_download_is_not_the_speed_of_the_machine(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), plan_of(seeds=[1, 2])
    first, second = trainings(plan)
    before = learned(plan, store)
    took(store, first, before[first.hash], epochs=100, best_epoch=80, stopped="early")
    took(store, plan.cells[0].nodes["item_embeddings"], 600.0)
    assert learned(plan, store)[second.hash] == pytest.approx(before[second.hash], rel=0.05)


def test_little_work_teaches_little(tmp_path: Path) -> None:
    """A stage that takes a second where 0.1 is assumed may have waited for an import."""
    store, plan = Store(tmp_path), plan_of()
    before = learned(plan, store)
    took(store, plan.cells[0].nodes["split"], 1.0, users=1_500, items=600, interactions=15_000)
    after = learned(plan, store)
    (train,) = trainings(plan)
    assert before[train.hash] < after[train.hash] < 1.5 * before[train.hash]


def test_another_machine_teaches_no_speed_but_epochs(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), plan_of(seeds=[1, 2])
    first, second = trainings(plan)
    before = learned(plan, store)
    took(store, first, 9_000.0, "1 × abacus, CPU", epochs=200, best_epoch=180, stopped="early")
    guess = estimate(plan, plan.nodes, store, 1)
    assert guess.passes[second.hash] == 200
    assert guess.node_seconds[second.hash] == pytest.approx(2 * before[second.hash], rel=0.05)
    assert guess.learned == 0


def test_epochs_are_those_to_the_best_one_and_the_patience(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), plan_of(seeds=[1, 2, 3])
    first, second, third = trainings(plan)

    def expected(**training: Any) -> float:
        other = plan_of(training=training)
        (node,) = trainings(other)
        return estimate(other, other.nodes, store, 1).passes[node.hash]

    usual = USUAL_BEST["bce"] + 20
    assert expected() == usual
    took(store, first, 20.0, epochs=10, best_epoch=10, stopped="max_epochs")  # cut short
    assert expected() == usual
    assert expected(max_epochs=7) == 7
    took(store, second, 20.0, epochs=120, best_epoch=100, stopped="early")
    took(store, third, 20.0, epochs=140, best_epoch=120, stopped="early")
    assert expected() == 120  # the median
    assert expected(patience=5, eval_every=2) == 110
    assert expected(loss="softmax") == 120  # the same data tell more than the same loss elsewhere


def test_the_same_method_on_these_data_tells_most_of_epochs(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), plan_of(compare={"model.enhancer": ["none", "grasp"]}, seeds=[1, 2])
    none, _, grasp, grasp_again = trainings(plan)
    took(store, none, 20.0, epochs=140, best_epoch=120, stopped="early")
    took(store, grasp, 20.0, epochs=30, best_epoch=10, stopped="early")
    assert estimate(plan, plan.nodes, store, 1).passes[grasp_again.hash] == 30


def test_an_artefact_without_its_history_teaches_nothing(tmp_path: Path) -> None:
    """As after `store gc`, or after an earlier version whose sidecars said less."""
    store, plan = Store(tmp_path), plan_of(seeds=[1, 2])
    first = trainings(plan)[0]
    before = estimate(plan, plan.nodes, store, 1)
    took(store, first, 1000.0, epochs=70, best_epoch=50, stopped="early")
    split = split_of(first)
    store.folder("split", split.hash).rename(tmp_path / "gone")
    assert estimate(plan, plan.nodes, store, 1) == before


BEAUTY = Sizes(22_363, 12_101, 198_502)


def test_constants_are_near_what_beauty_takes() -> None:
    """Measured on one idle core: epochs of 3.4 and 5.5 s, full ranking in 7 and 32 s."""
    plan = plan_of(compare={"model.enhancer": ["none", "grasp"]})
    for cell, epoch, ranking in zip(plan.cells, (3.4, 5.5), (7, 32), strict=True):
        assert work_of(cell.nodes["train"], BEAUTY).each == pytest.approx(epoch, rel=0.1)
        assert work_of(cell.nodes["rank"], BEAUTY).each == pytest.approx(ranking, rel=0.1)


@pytest.mark.parametrize(
    ("training", "least", "most"),
    [
        ({"loss": "softmax"}, 4, 12),  # scores the whole catalogue for every token
        ({"loss": {"kind": "gbce"}}, 1.05, 1.5),
        ({"monitor_protocol": "full"}, 2, 4),
        ({"monitor_protocol": "full", "eval_every": 10}, 1.0, 1.5),
        ({"batch_size": 16}, 3, 8),
        ({"optimizer": "sparse_adam"}, 0.5, 0.9),
    ],
)
def test_what_the_spec_asks_of_an_epoch_counts(training: Any, least: float, most: float) -> None:
    """Bounds around what was measured on amazon-beauty (results/, benchmarks/results/training_step.json)."""
    (plain,), (other,) = trainings(plan_of(model={})), trainings(plan_of(model={}, training=training))
    assert least < work_of(other, BEAUTY).each / work_of(plain, BEAUTY).each < most


def test_more_workers_shorten_only_what_is_side_by_side(tmp_path: Path) -> None:
    plan, store = plan_of(seeds=[1, 2, 3, 4]), Store(tmp_path)
    times = [estimate(plan, plan.nodes, store, workers).seconds for workers in (1, 2, 100)]
    assert times[0] > times[1] > times[2]
    chain = estimate(plan_of(), plan_of().nodes, store, 100)
    longest = sum(
        chain.node_seconds[plan_of().cells[0].nodes[role].hash]
        for role in ("split", "user_text", "user_embeddings", "user_neighbours", "train", "rank", "metrics")
    )
    assert chain.seconds == pytest.approx(START_SECONDS + longest)


def test_nothing_to_run_takes_nothing(tmp_path: Path) -> None:
    guess = estimate(plan_of(), (), Store(tmp_path), 4)
    assert (guess.seconds, guess.memory_mb, guess.disk_mb, guess.learned) == (0, 0, 0, 0)


SERVED = {
    "text": {"users": {"provider": "litellm", "model": "openai/m"}},
    "encoder": {"kind": "litellm", "model": "openai/e"},
}


def test_services_take_as_long_as_their_requests_side_by_side(tmp_path: Path) -> None:
    def seconds(role: str, **text: Any) -> float:
        sections = SERVED | {"text": {"users": SERVED["text"]["users"] | text}}
        plan = plan_of(**sections)
        guess = estimate(plan, plan.nodes, Store(tmp_path), 1)
        return guess.node_seconds[plan.cells[0].nodes[role].hash]

    few, many = (seconds("user_text", concurrency=number) for number in (8, 32))
    assert few == pytest.approx(4 * many, rel=0.01)
    assert seconds("item_text") < 1  # a template asks nobody
    assert seconds("user_embeddings") < seconds("user_text") / 10  # many texts go in one request


def test_speeds_of_services_are_learned_apart_from_templates(tmp_path: Path) -> None:
    plan, store = plan_of(**SERVED), Store(tmp_path)
    asked, filled = plan.cells[0].nodes["user_text"], plan_of().cells[0].nodes["user_text"]
    before = estimate(plan, [asked], store, 1)
    took(store, filled, seconds=100.0)
    assert estimate(plan, [asked], store, 1).node_seconds == before.node_seconds
    took(store, asked, seconds=500.0)
    after = estimate(plan, [asked], store, 1)
    assert after.node_seconds[asked.hash] == pytest.approx(500, rel=0.2)
    assert (before.learned, after.learned) == (0, 1)


def test_the_weights_of_a_language_model_count(tmp_path: Path) -> None:
    """By the model's own sizes where they are at hand: 2 · (24² + 24 · 12) + 3 · 24 · 32 a layer."""
    sizes = {"hidden_size": 24, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 32}
    (tmp_path / "config.json").write_text(json.dumps(sizes | {"num_hidden_layers": 6, "vocab_size": 9}))
    assert parameters({"model": str(tmp_path), "kept_layers": None}) == 6 * (2 * (576 + 288) + 2304)
    assert parameters({"model": "local/smollm2", "kept_layers": 2}) == 2 * 3_538_944

    def guessed(**keys: Any) -> tuple[float, float]:
        plan = plan_of(model={"backbone": "llm", "enhancer": "none", **keys})
        (node,), found = trainings(plan), estimate(plan, plan.nodes, Store(tmp_path), 1)
        return found.node_seconds[node.hash], found.memory_mb

    base, deep, trained = guessed(), guessed(kept_layers=8), guessed(frozen=False)
    assert deep[0] == pytest.approx(2 * base[0], rel=0.1)
    assert trained[0] == pytest.approx(1.5 * base[0], rel=0.1)
    assert deep[1] - base[1] == pytest.approx(4 * 3_538_944 * 4 / 1e6, rel=1e-3)
    assert trained[1] > deep[1]


def test_weights_under_a_path_are_in_the_hash_of_the_training() -> None:
    def hashes(content: str) -> dict[str, str]:
        given = {"name": "t", "dataset": {"source": "demo"}, "controls": []}
        model = {"backbone": "llm", "enhancer": "none", "model": "local/."}
        plan = compile_plan(Experiment.model_validate({**given, "model": model}), lambda path: content)
        return {role: node.hash for role, node in plan.cells[0].nodes.items()}

    before, after = hashes("some weights"), hashes("others")
    assert {role for role in before if before[role] != after[role]} == {"train", "rank", "metrics"}
