"""Tasks one after another in this process: for debuggers, and where processes may not be started."""

from __future__ import annotations

from grasp_bench.core.store import Store
from grasp_bench.engine.money import ledger_of
from grasp_bench.engine.perform import perform
from grasp_bench.engine.tasks import End, OnProgress, Task
from grasp_bench.engine.worker import Workplace, load_stages, throttled
from grasp_bench.stages.context import RunContext


class InProcess:
    """An Executor with one slot; `wait` runs the submitted task."""

    slots = 1

    def __init__(self, place: Workplace, devices: list[str], on_progress: OnProgress) -> None:
        self._place = place
        self._device = devices[0]
        self._on_progress = on_progress
        self._stages = load_stages(place.stages)
        self._tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        """Note the task for the next `wait`."""
        self._tasks.append(task)

    def wait(self) -> list[End]:
        """Run what was submitted."""
        task = self._tasks.pop(0)
        report = throttled(task.node, self._on_progress)
        store = Store(self._place.store)
        context = RunContext(self._device, task.threads, report, self._place.memory_mb, ledger_of(store))
        return [perform(task, store, self._stages, context)]

    def close(self) -> None:
        """Nothing is held."""

    def stop(self) -> None:
        """The interrupt has already ended the task."""
        self._tasks.clear()
