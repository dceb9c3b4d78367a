"""What goes between the schedule and an executor: a task out, progress and one end back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grasp_bench.core.progress import Event
from grasp_bench.plan.nodes import Node


@dataclass(frozen=True)
class Task:
    """A node to make, the CPU threads it may use, and its units of work in one pass (for later estimates)."""

    node: Node
    threads: int
    work: float


@dataclass(frozen=True)
class Done:
    """The node is in the store; `reused` when another process had made it meanwhile."""

    node: Node
    seconds: float
    reused: bool


@dataclass(frozen=True)
class Broken:
    """The node could not be made: the error's class, what is wrong, how to mend it, and where."""

    node: Node
    error: str
    message: str
    mend: str | None
    traceback: str


@dataclass(frozen=True)
class Progress:
    """A stage's report on its way."""

    node: Node
    event: Event


End = Done | Broken
OnProgress = Callable[[Progress], None]
