"""Tasks, their ends, the executors that run them, and the reports of failed nodes in the store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from grasp_bench.core import atomic
from grasp_bench.core.atomic import private_files
from grasp_bench.core.progress import Event
from grasp_bench.core.registry import Registry
from grasp_bench.plan.nodes import Node

HINT_DEATH = "if nobody killed it, memory ran out: try fewer --workers or a smaller batch, then run again"


@dataclass(frozen=True)
class WorkerConfig:
    """What all tasks share: the store, "module:attribute" of the stage registry, memory in MiB."""

    store: Path
    stages: str
    memory_mb: int


@dataclass(frozen=True)
class Task:
    """A node to make, and its CPU threads."""

    node: Node
    threads: int


@dataclass(frozen=True)
class Done:
    """The node is in the store; `reused` means that another process made it in the meantime."""

    node: Node
    seconds: float
    reused: bool


@dataclass(frozen=True)
class Broken:
    """The node could not be made: class of the error, message, hint, traceback."""

    node: Node
    error: str
    message: str
    hint: str | None
    traceback: str


@dataclass(frozen=True)
class Progress:
    """A progress event of a node."""

    node: Node
    event: Event


End = Done | Broken
OnProgress = Callable[[Progress], None]


class Executor(Protocol):
    """Runs up to `slots` tasks at once."""

    slots: int

    def __init__(self, config: WorkerConfig, devices: list[str], on_progress: OnProgress) -> None:
        """Make one slot for each entry of `devices`, which may repeat."""
        ...

    def submit(self, task: Task) -> None:
        """Start a task; call this only while fewer than `slots` tasks run."""
        ...

    def wait(self) -> list[End]:
        """Block until at least one task has ended; pass progress to `on_progress` meanwhile."""
        ...

    def close(self) -> None:
        """End idle workers."""
        ...

    def stop(self) -> None:
        """Interrupt running tasks, wait a while for their resumable state, then end them."""
        ...


EXECUTORS = Registry[type[Executor]](
    "executor",
    {
        "process_pool": "grasp_bench.engine.process_pool:ProcessPool",
        "in_process": "grasp_bench.engine.worker:InProcess",
        "ray": "grasp_bench.engine.ray_cluster:RayCluster",
    },
)


@dataclass(frozen=True)
class Failure:
    """A failed node: message, hint, and the file with the traceback (None if it could not be written)."""

    node: Node
    message: str
    hint: str | None
    report: Path | None


def record(broken: Broken, store: Path) -> Failure:
    """Write `failures/<stage>-<hash>.txt`."""
    path = _path(broken.node, store)
    text = f"{broken.node.label}\n{broken.message}\n"
    if broken.hint:
        text += f"hint: {broken.hint}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with private_files():  # a traceback may quote a text
            atomic.write_text(path, f"{text}\n{broken.traceback}")
    except OSError:  # the disk may be what failed
        return Failure(broken.node, broken.message, broken.hint, None)
    return Failure(broken.node, broken.message, broken.hint, path)


def forget(node: Node, store: Path) -> None:
    """Remove the report of an earlier attempt."""
    with suppress(OSError):
        _path(node, store).unlink(missing_ok=True)


def _path(node: Node, store: Path) -> Path:
    return store / "failures" / f"{node.stage}-{node.hash}.txt"
