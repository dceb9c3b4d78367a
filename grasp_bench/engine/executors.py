"""Where tasks run: the contract, and the executors by name."""

from __future__ import annotations

from typing import Protocol

from grasp_bench.core.registry import Registry
from grasp_bench.engine.tasks import End, OnProgress, Task
from grasp_bench.engine.worker import Workplace


class Executor(Protocol):
    """Runs tasks on `slots` places at once."""

    slots: int

    def __init__(self, place: Workplace, devices: list[str], on_progress: OnProgress) -> None:
        """One slot for each entry of `devices`, which may repeat."""
        ...

    def submit(self, task: Task) -> None:
        """Take a task; call only while fewer than `slots` are on."""
        ...

    def wait(self) -> list[End]:
        """Block until at least one task has ended; progress goes to `on_progress` meanwhile."""
        ...

    def close(self) -> None:
        """End idle workers."""
        ...

    def stop(self) -> None:
        """Interrupt what runs, give it time to leave a resumable state, end it."""
        ...


EXECUTORS = Registry[type[Executor]](
    "executor",
    {
        "process_pool": "grasp_bench.engine.process_pool:ProcessPool",
        "in_process": "grasp_bench.engine.in_process:InProcess",
        "ray": "grasp_bench.engine.ray_cluster:RayCluster",
    },
)
