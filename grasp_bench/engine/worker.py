"""Run tasks in a worker process or in this one: lock a node, run its stage, finish the artefact."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, cast

from grasp_bench import __version__
from grasp_bench.core import machine
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.progress import Event, Report
from grasp_bench.core.registry import Registry, imported
from grasp_bench.core.store import Store
from grasp_bench.engine.costs import ledger_of
from grasp_bench.engine.tasks import Broken, Done, End, OnProgress, Progress, Task, WorkerConfig
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
    sidecar = _sidecar(node)
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


SECONDS_BETWEEN_REPORTS = 0.1
SECONDS_TO_SAVE = 10.0  # for an orphaned worker to save its resumable state


class TaskRunner:
    """Runs tasks on one device, with the stages and the store of a WorkerConfig."""

    def __init__(self, config: WorkerConfig, device: str) -> None:
        self._store = Store(config.store)
        self._stages = load_stages(config.stages)
        self._memory_mb = config.memory_mb
        self._device = device

    def run(self, task: Task, send: Callable[[Progress], Any]) -> End:
        """Make the task's node and send its progress. KeyboardInterrupt passes through."""
        report = throttled(task.node, send)
        context = RunContext(self._device, task.threads, report, self._memory_mb, ledger_of(self._store))
        return execute(task, self._store, self._stages, context)


class InProcess:
    """An Executor with one slot; `wait` runs the submitted task."""

    slots = 1

    def __init__(self, config: WorkerConfig, devices: list[str], on_progress: OnProgress) -> None:
        self._runner = TaskRunner(config, devices[0])
        self._on_progress = on_progress
        self._tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        """Queue the task for the next `wait`."""
        self._tasks.append(task)

    def wait(self) -> list[End]:
        """Run the submitted task."""
        return [self._runner.run(self._tasks.pop(0), self._on_progress)]

    def close(self) -> None:
        """Do nothing: there are no workers."""

    def stop(self) -> None:
        """Drop submitted tasks; the interrupt has already ended the running one."""
        self._tasks.clear()


def work(tasks: Connection, config: WorkerConfig, device: str, threads: int, log: Path) -> None:
    """Run as a worker process; what libraries print goes to `log`, to be shown if the worker dies."""
    serve_parent(log)
    limit_threads(threads)
    runner = TaskRunner(config, device)
    try:
        while True:
            tasks.send(runner.run(tasks.recv(), tasks.send))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return


def serve_parent(log: Path) -> None:
    """Make this process end with its parent, and raise KeyboardInterrupt when the parent sends SIGTERM."""
    _redirect_output(log)
    # Ctrl-C goes to the whole process group; the parent decides and passes it on once, as SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def load_stages(target: str) -> Registry[type[Stage]]:
    """Import the registry of stages from "module:attribute"."""
    return cast("Registry[type[Stage]]", imported(target))


def throttled(node: Node, send: Callable[[Progress], Any]) -> Report:
    """Return a Report that sends at most ten events a second, and always the last one of a count."""
    last = float("-inf")

    def report(event: Event) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_REPORTS or event.done >= event.total:
            last = now
            send(Progress(node, event))

    return report


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SECONDS_TO_SAVE)
        os._exit(1)


def _redirect_output(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # libraries may print texts
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):  # a glyph that the encoding lacks must not end a stage
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    faulthandler.enable()
