"""What is there and what has to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grasp_bench.core.errors import MissingFileError
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.store import Store
from grasp_bench.plan import fingerprints
from grasp_bench.plan.compile import Plan, compile_plan
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
