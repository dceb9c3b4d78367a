"""Stages `train`, `rank` and `metrics`, one after the other on the real Fashion data and on the demo."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from grasp_bench.core.errors import StoreError
from grasp_bench.core.hashing import file_hash
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Artefact
from grasp_bench.plan.graph import CellNodes
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.dataset import Dataset, Groups, Protocol
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.index import Index
from grasp_bench.spec.model import Model
from grasp_bench.spec.training import Training
from grasp_bench.stages.context import STAGES, RunContext
from grasp_bench.stages.metrics import MetricsStage
from grasp_bench.stages.rank import RankStage
from grasp_bench.stages.train import TrainStage

GROUPS = Groups(rule="threshold", head_user_from=3, head_item_from=4, count_on="all")
EVENTS: list[Event] = []
CONTEXT = RunContext("cpu", 1, EVENTS.append)


def execute(node: Node, root: Path, done: dict[str, Artefact]) -> Artefact:
    """Run one node in its own folder."""
    out = root / node.hash
    out.mkdir()
    inputs = {role: done[upstream.hash] for role, upstream in node.inputs.items()}
    facts = STAGES.get(node.stage)().run(node, inputs, out, CONTEXT)
    done[node.hash] = Artefact(out, {"facts": facts})
    return done[node.hash]


@pytest.fixture(scope="module")
def fashion(data_root: Path, tmp_path_factory: pytest.TempPathFactory):
    """Nodes and finished artefacts of a short training on amazon-fashion."""
    experiment = Experiment(
        name="test",
        dataset=Dataset(source=str(data_root / "amazon-fashion"), protocol=Protocol(groups=GROUPS)),
        model=Model(embedding_dim=16),
        training=Training(max_epochs=2),
    )
    nodes = CellNodes(file_hash).of(experiment, "cell")
    root, done = tmp_path_factory.mktemp("fashion"), {}
    for role in ("split", "candidates", "train", "rank", "metrics"):
        execute(nodes[role], root, done)
    return nodes, done


def test_training_opens_no_file_that_holds_a_test_item(fashion, tmp_path):
    nodes, done = fashion
    inputs = {}
    for role in ("split", "candidates"):
        copied = tmp_path / role
        shutil.copytree(done[nodes[role].hash].path, copied)
        for poisoned in copied.glob("test.*"):
            poisoned.unlink()
        inputs[role] = Artefact(copied, {})
    (tmp_path / "out").mkdir()
    TrainStage().run(nodes["train"], inputs, tmp_path / "out", CONTEXT)
    ours, theirs = (
        load_file(folder / "model.safetensors")
        for folder in (tmp_path / "out", done[nodes["train"].hash].path)
    )
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(StoreError, match=r"test\.parquet"):
        RankStage().run(
            nodes["rank"], {**inputs, "train": done[nodes["train"].hash]}, tmp_path / "out", CONTEXT
        )


def test_log_and_facts_tell_the_training(fashion):
    nodes, done = fashion
    artefact = done[nodes["train"].hash]
    log = [json.loads(line) for line in (artefact.path / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2]
    assert log[1]["loss"] < log[0]["loss"]
    facts = artefact.sidecar["facts"]
    assert facts["validation_NDCG@10"] == max(entry["NDCG@10"] for entry in log)
    assert facts["best_epoch"] == 1 + int(np.argmax([entry["NDCG@10"] for entry in log]))
    assert facts["parameters"] == 4722 * 16 + sum(
        # SASRec: positions, then a block twice (two norms, q, kv, o, two feed-forward layers), last norm
        (100 * 16, 2 * (2 * 32 + 272 + 544 + 272 + 2 * 272), 32)
    )


def test_metrics_are_those_of_the_stored_ranks(fashion):
    nodes, done = fashion
    folder = done[nodes["metrics"].hash].path
    figures = json.loads((folder / "metrics.json").read_text())
    ranks = pl.read_parquet(folder / "ranks.parquet")
    assert len(ranks) == 9094
    for protocol in ("sampled", "full"):
        better = ranks[f"{protocol}_better"].to_numpy().astype(float)
        tied = ranks[f"{protocol}_tied"].to_numpy()
        alone = tied == 0
        rank = better + 1
        expected = np.where(rank <= 10, 1 / np.log2(rank + 1), 0.0)
        found = figures[protocol]["overall"]
        assert found["n"] == 9094
        if alone.all():
            assert found["NDCG@10"] == pytest.approx(expected.mean())
            assert found["HR@10"] == pytest.approx((rank <= 10).mean())
            assert found["MRR@10"] == pytest.approx(np.where(rank <= 10, 1 / rank, 0.0).mean())
        assert (ranks["sampled_better"].to_numpy() <= 100).all()


def test_groups_partition_the_users_and_average_to_the_whole(fashion):
    nodes, done = fashion
    figures = json.loads((done[nodes["metrics"].hash].path / "metrics.json").read_text())["full"]
    whole = figures["overall"]
    for one, other in (("head_user", "tail_user"), ("head_item", "tail_item"), ("repeat", "new")):
        a, b = figures[one], figures[other]
        assert a["n"] + b["n"] == whole["n"]
        mean = (a["n"] * a["NDCG@10"] + b["n"] * b["NDCG@10"]) / whole["n"]
        assert mean == pytest.approx(whole["NDCG@10"])
    assert figures["repeat"]["n"] / whole["n"] == pytest.approx(0.22, abs=0.005)  # the data's own README


def test_beyond_accuracy_is_absent_where_nothing_is_known(fashion):
    nodes, done = fashion
    beyond = json.loads((done[nodes["metrics"].hash].path / "metrics.json").read_text())["beyond"]
    assert beyond["cross_category@10"] is None  # Fashion has no items file
    assert 0 < beyond["coverage@1"] <= beyond["coverage@10"] <= 1
    assert 0 < beyond["gini@10"] < 1


def test_changed_groups_need_metrics_only(fashion):
    nodes, done = fashion
    experiment = Experiment(
        name="test",
        dataset=Dataset(source=nodes["split"].locations["source"]),
        model=Model(embedding_dim=16),
        training=Training(max_epochs=2),
    )
    changed = CellNodes(file_hash).of(experiment, "cell")
    assert changed["rank"].hash == nodes["rank"].hash
    assert changed["metrics"].hash != nodes["metrics"].hash
    inputs = {role: done[node.hash] for role, node in changed["metrics"].inputs.items()}
    folder = done[nodes["metrics"].hash].path.parent / "changed"
    folder.mkdir()
    MetricsStage().run(changed["metrics"], inputs, folder, CONTEXT)
    before, after = (
        json.loads((path / "metrics.json").read_text())["full"]["overall"]
        for path in (done[nodes["metrics"].hash].path, folder)
    )
    assert before == after


def test_grasp_goes_through_from_precomputed_vectors(data_root, tmp_path):
    """Real Beauty vectors and interactions of some users, one epoch: knowledge reaches the model by id."""
    folder = data_root / "amazon-beauty"
    vectors = folder / "embeddings-minilm"
    experiment = Experiment(
        name="test",
        dataset=Dataset(source=str(folder), sample_users=4000, protocol=Protocol(also_full_ranking=False)),
        encoder={
            "kind": "precomputed",
            "users": str(vectors / "users.npy"),
            "items": str(vectors / "items.npy"),
        },
        index=Index(kind="exact", num_neighbours=3),
        model=Model(enhancer="grasp", embedding_dim=8, mlp_depth=1),
        training=Training(max_epochs=1, batch_size=256),
    )
    nodes = CellNodes(file_hash).of(experiment, "cell")
    done: dict[str, Artefact] = {}
    for node in [*nodes["metrics"].ancestors(), nodes["metrics"]]:
        execute(node, tmp_path, done)
    figures = json.loads((done[nodes["metrics"].hash].path / "metrics.json").read_text())
    assert figures["sampled"]["overall"]["n"] == 4000
    chance = sum(1 / np.log2(np.arange(2, 12))) / 101
    assert figures["sampled"]["overall"]["NDCG@10"] > 1.5 * chance
    assert set(figures) == {"sampled"}  # full ranking was not asked for
