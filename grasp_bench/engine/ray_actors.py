"""What runs inside Ray's processes: a desk where tasks are done, and a box for their progress."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from grasp_bench.core.store import Store
from grasp_bench.engine.money import ledger_of
from grasp_bench.engine.perform import limit_threads, perform
from grasp_bench.engine.tasks import End, Progress, Task
from grasp_bench.engine.worker import Workplace, load_stages, throttled
from grasp_bench.stages.context import RunContext


class Desk:
    """Does one task after another; its folder and import path are those of the program that runs the plan."""

    def __init__(
        self, place: Workplace, device: str, threads: int, mailbox: Any, folder: str, path: list[str]
    ) -> None:
        # Like a worker process: a request to end lets the stage leave a resumable state.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path]
        limit_threads(threads)
        self._place = place
        self._device = device
        self._mailbox = mailbox
        self._stages = load_stages(place.stages)

    def whereabouts(self) -> tuple[str, int]:
        """Node id and process id; also a sign of life."""
        import ray

        return ray.get_runtime_context().get_node_id(), os.getpid()

    def make(self, task: Task) -> End:
        """Make the task's node; KeyboardInterrupt passes through."""
        store = Store(self._place.store)
        report = throttled(task.node, self._post)
        context = RunContext(self._device, task.threads, report, self._place.memory_mb, ledger_of(store))
        return perform(task, store, self._stages, context)

    def _post(self, progress: Progress) -> None:
        import ray

        ray.get(self._mailbox.post.remote(progress))  # waits: no progress comes after the task's end


class Mailbox:
    """Progress that nobody has read yet."""

    def __init__(self) -> None:
        self._letters: list[Progress] = []

    def post(self, letter: Progress) -> None:
        """Put one in."""
        self._letters.append(letter)

    def take(self) -> list[Progress]:
        """Take all out."""
        letters, self._letters = self._letters, []
        return letters


def interrupt(process: int) -> None:
    """Ask a process of this node to end."""
    os.kill(process, signal.SIGTERM)
