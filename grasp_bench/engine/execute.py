"""Make one node: take its lock, look again, run the stage, finish the artefact."""

from __future__ import annotations

import os
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib import metadata

from grasp_bench import __version__
from grasp_bench.core import machine
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.progress import Event
from grasp_bench.core.registry import Registry
from grasp_bench.core.store import Store
from grasp_bench.engine.tasks import Broken, Done, End, Task
from grasp_bench.plan.nodes import STAGE_VERSIONS, Node, holds_answers
from grasp_bench.stages.context import RunContext, Stage

LIBRARIES = ("numpy", "polars", "torch", "hnswlib", "sentence_transformers")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def execute(task: Task, store: Store, stages: Registry[type[Stage]], context: RunContext) -> End:
    """Make a node unless another process has made it; errors are returned as Broken, never raised.

    KeyboardInterrupt passes through: the partial folder stays for the next run to resume from.
    """
    node = task.node
    started = time.perf_counter()
    try:
        limit_threads(task.threads)

        def waiting() -> None:
            context.report(Event(node.label, 0, 0, note="waiting: another process is making it"))

        with store.lock(node.stage, node.hash, waiting):
            if store.has(node.stage, node.hash):
                return Done(node, time.perf_counter() - started, reused=True)
            _make(task, store, stages, context)
    except GraspBenchError as error:
        return Broken(node, type(error).__name__, error.message, error.hint, traceback.format_exc())
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        return Broken(node, type(error).__name__, message, None, traceback.format_exc())
    return Done(node, time.perf_counter() - started, reused=False)


def limit_threads(threads: int) -> None:
    """Set the thread count of numerical libraries, loaded or not yet loaded."""
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    # Threads that spin while they wait make shared cores three times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(threads)


def _make(task: Task, store: Store, stages: Registry[type[Stage]], context: RunContext) -> None:
    node = task.node
    inputs = {role: store.get(upstream.stage, upstream.hash) for role, upstream in node.inputs.items()}
    stage = stages.get(node.stage)()
    sidecar = _sidecar(node) | {"work_per_pass": task.work}
    with store.writing(node.stage, node.hash, sidecar, private=holds_answers(node)) as out:
        sidecar["facts"] = stage.run(node, inputs, out, context)
        sidecar["versions"] = _versions()
        sidecar["machine"] = machine.describe(context.device)
        sidecar["threads"] = task.threads
        sidecar["finished"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sidecar(node: Node) -> dict[str, object]:
    return {
        "hash": node.hash,
        "stage": node.stage,
        "version": STAGE_VERSIONS[node.stage],
        "label": node.label,
        "inputs": {role: upstream.hash for role, upstream in node.inputs.items()},
        "settings": dict(node.settings),
        "places": dict(node.locations),
    }


def _versions() -> dict[str, str]:
    """Return the versions of libraries that this process has loaded."""
    found = {"grasp_bench": __version__, "python": sys.version.split()[0]}
    for name in LIBRARIES:
        if name in sys.modules:
            found[name] = metadata.version(name)
    return found
