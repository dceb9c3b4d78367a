"""Plans over fake stages in real Ray actors, all on one local Ray."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import fake_stages
import pytest
from fake_study import Fakes

from grasp_bench.core import machine
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.progress import Event
from grasp_bench.core.store import Store
from grasp_bench.engine import ray_cluster
from grasp_bench.engine.ray_cluster import RayCluster
from grasp_bench.engine.tasks import Done, Progress, Task, WorkerConfig
from grasp_bench.plan.nodes import make_node

ray = pytest.importorskip("ray")
BASE, GRASP, SOFTMAX = "sasrec-none-s42", "sasrec-grasp-s42", "sasrec-grasp-softmax-s42"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start Ray once, with the folder of orders in the environment that its processes inherit."""
    folder = tmp_path_factory.mktemp("orders")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv(fake_stages.FOLDER, str(folder))
        patch.setattr(machine, "cores", lambda: 2)
        try:
            assert ray_cluster.connect(2)
        except GraspBenchError as error:
            if "timed out" not in error.message:
                raise
            pytest.skip(f"no core free for Ray: {error.message}")
        yield folder
        ray.shutdown()


@pytest.fixture
def ray_fakes(orders: Path, tmp_path: Path) -> Fakes:
    for old in orders.iterdir():
        old.unlink()
    return Fakes(orders, tmp_path / "store", tmp_path / "results")


def test_a_plan_runs_and_a_killed_actor_fails_its_own_cell_only(ray_fakes: Fakes) -> None:
    ray_fakes.order(f"train {GRASP}", "be killed")
    outcome = ray_fakes.run("ray")
    assert [cell.slug for cell in outcome.finished] == [BASE, SOFTMAX]
    assert outcome.failed[GRASP].message.startswith("worker died: ")
    assert outcome.failed[GRASP].hint is not None
    ray_fakes.relent()
    before = len(ray_fakes.runs())
    assert not ray_fakes.run("ray", workers=1).failed
    assert ray_fakes.runs()[before:] == [f"train {GRASP}", f"rank {GRASP}", f"metrics {GRASP}"]


def test_a_shared_node_that_fails_is_one_failure_of_many_cells(ray_fakes: Fakes) -> None:
    ray_fakes.order("embeddings users", "refuse")
    outcome = ray_fakes.run("ray", workers=1)
    assert list(outcome.failed) == [GRASP, SOFTMAX]
    assert [(failure.message, failure.hint) for failure in outcome.failures] == [
        ("user 'ünï' has no history", "drop the user")
    ]


def test_progress_comes_before_the_end_and_an_actor_lives_on(ray_fakes: Fakes) -> None:
    heard: list[Progress] = []
    place = WorkerConfig(ray_fakes.store, fake_stages.TARGET, 64)
    executor = RayCluster(place, ["cpu"], heard.append)
    pids = []
    for label in ("first", "second"):
        node = make_node("split", {"of": label}, {}, label)
        executor.submit(Task(node, 1))
        (end,) = executor.wait()
        assert isinstance(end, Done)
        assert heard[-1].event.task == label
        pids.append(Store(ray_fakes.store).get("split", node.hash).sidecar["facts"]["pid"])
    assert heard[0] == Progress(
        make_node("split", {"of": "first"}, {}, "first"), Event("first", 0, 3, "steps", "loss 1")
    )
    assert pids[0] == pids[1] != os.getpid()
    executor.close()
    assert ray.is_initialized()  # it was not the executor that connected


def test_more_workers_than_fit_are_refused_at_once(ray_fakes: Fakes) -> None:
    with pytest.raises(GraspBenchError, match="3 workers of 1 CPU each do not fit: Ray has 2 CPU"):
        ray_fakes.run("ray", workers=3)
