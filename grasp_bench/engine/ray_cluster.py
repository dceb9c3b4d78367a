"""Tasks in Ray actors, here or on the nodes of a cluster that share the store's file system.

An actor is not restarted: its death fails its own task, and a fresh actor takes the next one.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from grasp_bench.core.extras import require
from grasp_bench.engine import machine
from grasp_bench.engine.ray_actors import Desk, Mailbox
from grasp_bench.engine.ray_connection import check_room, connect, gpu_share, terminate
from grasp_bench.engine.tasks import Broken, End, OnProgress, Task
from grasp_bench.engine.worker import Workplace

SECONDS_TO_SAVE = 10.0
SECONDS_BETWEEN_LOOKS = 0.2
MEND_DEATH = "if nobody killed it, memory ran out: try fewer --workers or a smaller batch, then run again"


@dataclass
class _Worker:
    actor: Any
    whereabouts: Any  # reference to (node id, process id), known once the actor lives
    task: Task | None = None
    end: Any = None  # reference to the task's End


class RayCluster:
    """An Executor with an actor for each device given, started when first needed."""

    def __init__(self, place: Workplace, devices: list[str], on_progress: OnProgress) -> None:
        self._ray = require("ray", extra="ray")
        self.slots = len(devices)
        self._place = replace(place, store=place.store.absolute())
        self._on_progress = on_progress
        self._workers: dict[int, _Worker] = {}
        self._threads = max(1, machine.cores() // self.slots)
        self._gpus = gpu_share(devices)
        self._connected = connect(self._threads * self.slots)
        try:
            check_room(self.slots, self._threads, self._gpus)
            self._mailbox = self._ray.remote(Mailbox).options(num_cpus=0).remote()
        except BaseException:
            self.close()
            raise

    def submit(self, task: Task) -> None:
        """Give the task to an idle actor that still lives, or to a new one in a free slot."""
        for slot, worker in list(self._workers.items()):
            if worker.task is None and not self._lives(worker):
                self._bury(slot)
        busy = {slot for slot, worker in self._workers.items() if worker.task is not None}
        # A living actor before a new one.
        slot = min(set(range(self.slots)) - busy, key=lambda slot: slot not in self._workers)
        if slot not in self._workers:
            self._workers[slot] = self._start()
        worker = self._workers[slot]
        worker.task, worker.end = task, worker.actor.make.remote(task)

    def wait(self) -> list[End]:
        """Block until an actor has ended its task or died over it."""
        ends: list[End] = []
        while not ends:
            busy = {slot: worker for slot, worker in self._workers.items() if worker.task is not None}
            ready, _ = self._ray.wait([worker.end for worker in busy.values()], timeout=SECONDS_BETWEEN_LOOKS)
            for progress in self._ray.get(self._mailbox.take.remote()):
                self._on_progress(progress)
            ends = [self._end(slot, worker) for slot, worker in busy.items() if worker.end in ready]
        return ends

    def close(self) -> None:
        """End the actors, and the connection if it was made here (a local Ray ends with it)."""
        for slot in list(self._workers):
            self._bury(slot)
        if self._connected:
            self._ray.shutdown()
        elif hasattr(self, "_mailbox"):
            self._ray.kill(self._mailbox)

    def stop(self) -> None:
        """Interrupt every actor at work, wait for what they have to save, end all."""
        try:
            busy = [worker for worker in self._workers.values() if worker.task is not None]
            for worker in busy:
                self._interrupt(worker)
            if busy:
                ends = [worker.end for worker in busy]
                self._ray.wait(ends, num_returns=len(ends), timeout=SECONDS_TO_SAVE)
        finally:  # also on a second Ctrl-C
            self.close()

    def _start(self) -> _Worker:
        options = {
            "num_cpus": self._threads,
            "num_gpus": self._gpus,
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        device = "cuda:0" if self._gpus else "cpu"  # Ray shows an actor its own GPU only
        actor = self._ray.remote(Desk).options(**options).remote(
            self._place, device, self._threads, self._mailbox, os.getcwd(), sys.path
        )  # fmt: skip
        return _Worker(actor, actor.whereabouts.remote())

    def _lives(self, worker: _Worker) -> bool:
        try:
            self._ray.get(worker.actor.whereabouts.remote())
        except self._ray.exceptions.RayError:
            return False
        return True

    def _end(self, slot: int, worker: _Worker) -> End:
        task = worker.task
        assert task is not None
        worker.task = None
        try:
            end: End = self._ray.get(worker.end)
        except self._ray.exceptions.RayError as error:
            self._bury(slot)
            said = str(error)
            return Broken(task.node, "WorkerDied", f"worker died: {said.splitlines()[0]}", MEND_DEATH, said)
        return end

    def _interrupt(self, worker: _Worker) -> None:
        with suppress(self._ray.exceptions.RayError):  # not born yet, or dead already
            terminate(*self._ray.get(worker.whereabouts, timeout=0))

    def _bury(self, slot: int) -> None:
        self._ray.kill(self._workers.pop(slot).actor)
