"""What is there, what has to run, and how long it may take."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core import hashing
from grasp_bench.core.errors import MissingFileError
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.store import Store
from grasp_bench.plan import fingerprints
from grasp_bench.plan.compile import Plan, compile_plan
from grasp_bench.plan.estimate import (
    BYTES_PER_INTERACTION,
    START_SECONDS,
    USUAL_EPOCHS,
    estimate,
    interactions_of,
    work_of,
)
from grasp_bench.plan.fingerprints import Fingerprints
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.selection import status
from grasp_bench.spec.experiment import Experiment


def plan_of(**sections: Any) -> Plan:
    base = {"name": "t", "dataset": {"source": "demo"}, "model": {"enhancer": "grasp"}, "controls": []}
    return compile_plan(Experiment.model_validate(base | sections), str)


def finish(store: Store, node: Node, **sidecar: Any) -> None:
    with store.writing(
        node.stage, node.hash, {"hash": node.hash, "settings": dict(node.settings), **sidecar}
    ):
        pass


def took(store: Store, node: Node, seconds: float, work: float, **facts: Any) -> None:
    """Finish a node as if it had taken so long."""
    finish(store, node)
    path = store.folder(node.stage, node.hash) / "artefact.json"
    told = {"seconds": seconds, "work_per_pass": work, "facts": facts}
    hashing.write(path, hashing.without_checksum(json.loads(path.read_text())) | told)


def test_an_empty_store_has_everything_to_do(tmp_path: Path) -> None:
    plan = plan_of()
    now = status(plan, Store(tmp_path))
    assert now.to_run == plan.nodes
    assert (now.count("to do"), now.done, now.started) == (len(plan.nodes), (), ())


def test_what_a_finished_node_read_need_not_be_there(tmp_path: Path) -> None:
    plan, store = plan_of(seeds=[1, 2]), Store(tmp_path)
    first, second = plan.cells
    finish(store, first.nodes["metrics"])
    finish(store, second.nodes["user_embeddings"])
    now = status(plan, store)
    assert now.done == (first,)
    assert now.states[first.nodes["train"].hash] == "spare"
    assert now.states[second.nodes["user_text"].hash] == "spare"
    assert now.states[second.nodes["item_text"].hash] == "to do"
    assert {node.hash for node in now.to_run}.isdisjoint(first.nodes["train"].hash)


def test_partial_folders_are_to_be_resumed(tmp_path: Path) -> None:
    plan, store = plan_of(), Store(tmp_path)
    train = plan.cells[0].nodes["train"]
    (tmp_path / "train" / f"{train.hash}.partial").mkdir(parents=True)
    assert status(plan, store).states[train.hash] == "to do"
    (tmp_path / "train" / f"{train.hash}.partial" / "checkpoint.safetensors").write_bytes(b"1")
    now = status(plan, store)
    assert now.states[train.hash] == "resume"
    assert now.started == plan.cells


def test_the_estimate_learns_from_this_store(tmp_path: Path) -> None:
    store, seen, new = Store(tmp_path), plan_of(seeds=[1]), plan_of(seeds=[2])
    train = new.cells[0].nodes["train"]
    rough = estimate(new, new.nodes, store, 1)
    assert rough.learned == 0
    old = seen.cells[0].nodes["train"]
    took(store, old, 1000.0, work_of(old, interactions_of(seen)), epochs=70, stopped="early")
    learned = estimate(new, new.nodes, store, 1)
    assert learned.node_seconds[train.hash] == pytest.approx(1000)
    assert learned.learned > 0.5
    took(store, new.cells[0].nodes["rank"], 9.0, 0)  # says nothing
    assert estimate(new, new.nodes, store, 1).seconds == pytest.approx(learned.seconds)


def test_starting_is_no_work(tmp_path: Path) -> None:
    """What a stage takes before it does anything is not multiplied by the size of the next dataset."""
    store, plan = Store(tmp_path), plan_of()
    split, train = (plan.cells[0].nodes[role] for role in ("split", "train"))
    rough = estimate(plan, plan.nodes, store, 1)
    took(store, split, 3.0, 100)  # a dozen users
    took(store, train, 2.0, 100, epochs=5, stopped="early")
    assert estimate(plan, plan.nodes, store, 1) == rough
    took(store, plan_of(dataset={"source": "demo", "min_user": 4}).cells[0].nodes["split"], 0.4, 15_000)
    assert estimate(plan, plan.nodes, store, 1).node_seconds[split.hash] == START_SECONDS


def test_epochs_are_those_that_trainings_took(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), plan_of(seeds=[1, 2, 3], training={"max_epochs": 200})
    first, second, third = (cell.nodes["train"] for cell in plan.cells)
    work = work_of(first, interactions_of(plan))
    took(store, first, 20 + START_SECONDS, work, epochs=10, stopped="max_epochs")  # cut short: a speed only
    seconds = estimate(plan, plan.nodes, store, 1).node_seconds
    assert seconds[third.hash] == pytest.approx(START_SECONDS + 2 * USUAL_EPOCHS)
    took(store, second, 300 + START_SECONDS, work, epochs=150, stopped="early")
    seconds = estimate(plan, plan.nodes, store, 1).node_seconds
    assert seconds[third.hash] == pytest.approx(START_SECONDS + 2 * 150)
    short = plan_of(training={"max_epochs": 7})
    (cell,) = short.cells
    seconds = estimate(short, short.nodes, store, 1).node_seconds
    assert seconds[cell.nodes["train"].hash] == pytest.approx(START_SECONDS + 2 * 7)


def test_constants_are_near_what_beauty_takes(tmp_path: Path) -> None:
    """Measured on one idle core: epochs of 3.4 and 5.5 s, full ranking in 7 and 32 s."""
    interactions = tmp_path / "interactions.csv"
    interactions.touch()
    os.truncate(interactions, int(198_502 * BYTES_PER_INTERACTION))  # a hole in the disk
    (tmp_path / "items.csv").touch()
    plan = plan_of(
        dataset={"source": str(tmp_path)},
        compare={"model.enhancer": ["none", "grasp"]},
        training={"max_epochs": 100},
    )
    seconds = estimate(plan, plan.nodes, Store(tmp_path / "store"), 1).node_seconds
    for cell, epoch, ranking in zip(plan.cells, (3.4, 5.5), (7, 32), strict=True):
        assert seconds[cell.nodes["train"].hash] == pytest.approx(100 * epoch, rel=0.1)
        assert seconds[cell.nodes["rank"].hash] == pytest.approx(ranking, rel=0.1)


def test_more_workers_shorten_only_what_is_side_by_side(tmp_path: Path) -> None:
    plan, store = plan_of(seeds=[1, 2, 3, 4]), Store(tmp_path)
    times = [estimate(plan, plan.nodes, store, workers).seconds for workers in (1, 2, 100)]
    assert times[0] > times[1] > times[2]
    chain = estimate(plan_of(), plan_of().nodes, store, 100)
    longest = sum(
        chain.node_seconds[plan_of().cells[0].nodes[role].hash]
        for role in ("split", "user_text", "user_embeddings", "user_neighbours", "train", "rank", "metrics")
    )
    assert chain.seconds == pytest.approx(longest)


def test_nothing_to_run_takes_nothing(tmp_path: Path) -> None:
    guess = estimate(plan_of(), (), Store(tmp_path), 4)
    assert (guess.seconds, guess.memory_mb, guess.disk_mb, guess.learned) == (0, 0, 0, 0)


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []

    def counted(path: Path) -> str:
        reads.append(path)
        return file_hash(path)

    monkeypatch.setattr(fingerprints, "file_hash", counted)
    source, cache = tmp_path / "ünï.csv", tmp_path / "cache.json"
    source.write_text("a,b\n1,2\n")
    first = Fingerprints(cache)(source)
    assert Fingerprints(cache)(source) == first == file_hash(source)
    assert len(reads) == 1
    source.write_text("a,b\n1,3\n1,4\n")
    assert Fingerprints(cache)(source) == file_hash(source) != first
    cache.write_text('["damaged"')
    assert Fingerprints(cache)(source) == file_hash(source)
    assert len(reads) == 3


def test_folders_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    before = Fingerprints()(tmp_path / "model")
    (tmp_path / "model" / "config.json").rename(tmp_path / "model" / "other.json")
    assert Fingerprints()(tmp_path / "model") != before
    with pytest.raises(MissingFileError, match="no such file"):
        Fingerprints()(tmp_path / "gone.csv")


SERVED = {
    "text": {"users": {"provider": "litellm", "model": "openai/m"}},
    "encoder": {"kind": "litellm", "model": "openai/e"},
}


def test_services_take_as_long_as_their_requests_side_by_side(tmp_path: Path) -> None:
    def seconds(role: str, **text: Any) -> float:
        sections = SERVED | {"text": {"users": SERVED["text"]["users"] | text}}
        plan = plan_of(**sections)
        guess = estimate(plan, plan.nodes, Store(tmp_path), 1)
        return guess.node_seconds[plan.cells[0].nodes[role].hash] - START_SECONDS

    assert seconds("user_text", concurrency=8) == pytest.approx(4 * seconds("user_text", concurrency=32))
    assert seconds("item_text") < 1  # a template asks nobody
    assert seconds("user_embeddings") < seconds("user_text") / 10  # many texts go in one request


def test_speeds_of_services_are_learned_apart_from_templates(tmp_path: Path) -> None:
    plan, store = plan_of(**SERVED), Store(tmp_path)
    asked, filled = plan.cells[0].nodes["user_text"], plan_of().cells[0].nodes["user_text"]
    took(store, filled, seconds=START_SECONDS + 1, work=10_000)
    before = estimate(plan, [asked], store, 1)
    assert before.learned == 0
    took(store, asked, seconds=START_SECONDS + 100, work=10_000)
    after = estimate(plan, [asked], store, 1)
    work = work_of(asked, interactions_of(plan))
    assert after.node_seconds[asked.hash] == pytest.approx(START_SECONDS + 100 * work / 10_000)
