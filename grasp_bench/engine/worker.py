"""A worker process: one task after another, until told to end or its parent is gone."""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any, cast

from grasp_bench.core.progress import Event, Report
from grasp_bench.core.registry import Registry
from grasp_bench.core.store import Store
from grasp_bench.engine.money import ledger_of
from grasp_bench.engine.perform import limit_threads, perform
from grasp_bench.engine.tasks import Progress, Task
from grasp_bench.plan.nodes import Node
from grasp_bench.stages.context import RunContext, Stage

SECONDS_BETWEEN_REPORTS = 0.1
SECONDS_TO_SAVE = 10.0  # what an orphaned worker gets to leave a resumable state


@dataclass(frozen=True)
class Workplace:
    """What is the same for all tasks: the store, "module:attribute" of the stage registry, memory (MiB)."""

    store: Path
    stages: str
    memory_mb: int


def work(tasks: Connection, place: Workplace, device: str, threads: int, log: Path) -> None:
    """Body of a worker process; `log` takes what libraries print, so that it can be shown if it dies."""
    serve_parent(log)
    limit_threads(threads)
    stages = load_stages(place.stages)
    try:
        while True:
            task: Task = tasks.recv()
            report = throttled(task.node, tasks.send)
            store = Store(place.store)
            context = RunContext(device, task.threads, report, place.memory_mb, ledger_of(store))
            tasks.send(perform(task, store, stages, context))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return


def serve_parent(log: Path) -> None:
    """Make this process one that ends with its parent, or by KeyboardInterrupt when the parent says so."""
    _redirect_output(log)
    # Ctrl-C goes to the whole process group; the parent decides and passes it on as SIGTERM, once.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def load_stages(target: str) -> Registry[type[Stage]]:
    """Import the registry of stages from "module:attribute"."""
    module, _, attribute = target.partition(":")
    return cast("Registry[type[Stage]]", getattr(importlib.import_module(module), attribute))


def throttled(node: Node, send: Callable[[Progress], Any]) -> Report:
    """A Report that passes at most ten events a second on, and every last one of its kind."""
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
    for stream in (sys.stdout, sys.stderr):  # no glyph that this place cannot encode ends a stage
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    faulthandler.enable()
