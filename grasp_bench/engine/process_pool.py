"""Run tasks in worker processes, one pipe each; workers live on, since importing torch costs a second.

In concurrent.futures one killed worker breaks the whole pool. Here it fails its own task, and a new
worker takes the next one.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from grasp_bench.core import machine
from grasp_bench.engine.tasks import HINT_DEATH, Broken, End, OnProgress, Progress, Task, WorkerConfig
from grasp_bench.engine.worker import work

SECONDS_TO_SAVE = 10.0
LOG_TAIL = 4000  # characters of a dead worker's output worth keeping
OUT_OF_MEMORY = -9


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    log: Path
    task: Task | None = None


class ProcessPool:
    """An Executor with one spawned process for each device given, started when first needed."""

    def __init__(self, config: WorkerConfig, devices: list[str], on_progress: OnProgress) -> None:
        self.slots = len(devices)
        self._config = config
        self._devices = devices
        self._on_progress = on_progress
        self._workers: dict[int, _Worker] = {}
        self._numbers = itertools.count()

    def submit(self, task: Task) -> None:
        """Send the task to an idle worker, or to a new one in a free slot."""
        for slot, worker in list(self._workers.items()):
            if worker.task is None and self._send(worker, task):
                return
            if worker.task is None:
                self._remove(slot)
        slot = next(slot for slot in range(self.slots) if slot not in self._workers)
        worker = self._workers[slot] = self._start(self._devices[slot])
        if not self._send(worker, task):
            worker.task = task  # it died at its start: `wait` finds that

    def wait(self) -> list[End]:
        """Block until a worker has ended its task or died."""
        ends: list[End] = []
        while not ends:
            busy = {slot: worker for slot, worker in self._workers.items() if worker.task is not None}
            # The sentinel as well: a dead worker's children may keep its pipe open.
            ready = wait([x for worker in busy.values() for x in (worker.pipe, worker.process.sentinel)])
            for slot, worker in busy.items():
                if worker.pipe in ready or worker.process.sentinel in ready:
                    ends += self._receive(slot, worker)
        return ends

    def close(self) -> None:
        """End idle workers by closing their pipes."""
        for worker in self._workers.values():
            worker.pipe.close()
        for slot in list(self._workers):
            self._workers[slot].process.join(SECONDS_TO_SAVE)
            self._remove(slot)

    def stop(self) -> None:
        """Interrupt all workers, wait until they have saved their state, kill the rest."""
        try:
            for worker in self._workers.values():
                worker.process.terminate()
            deadline = time.monotonic() + SECONDS_TO_SAVE
            for worker in self._workers.values():
                worker.process.join(max(0.0, deadline - time.monotonic()))
        finally:  # also on a second Ctrl-C
            for slot in list(self._workers):
                self._remove(slot)

    def _start(self, device: str) -> _Worker:
        here, there = multiprocessing.Pipe()
        log = self._config.store / "logs" / f"worker-{os.getpid()}-{next(self._numbers)}.log"
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(there, self._config, device, machine.cores(), log), daemon=True
        )
        process.start()
        there.close()  # or the pipe would stay open when the worker dies
        return _Worker(process, here, log)

    def _send(self, worker: _Worker, task: Task) -> bool:
        try:
            worker.pipe.send(task)
        except OSError:
            return False
        worker.task = task
        return True

    def _receive(self, slot: int, worker: _Worker) -> list[End]:
        """Read all messages of a worker; its death counts only after the last one."""
        try:
            while worker.pipe.poll():
                message = worker.pipe.recv()
                if isinstance(message, Progress):
                    self._on_progress(message)
                else:
                    worker.task = None
                    return [message]
        except (EOFError, OSError):
            pass
        else:
            if worker.process.is_alive():
                return []
        task = worker.task
        worker.process.join(SECONDS_TO_SAVE)
        ends: list[End] = [_died(task, worker)] if task is not None else []
        self._remove(slot)
        return ends

    def _remove(self, slot: int) -> None:
        worker = self._workers.pop(slot)
        worker.pipe.close()
        if worker.process.is_alive():
            worker.process.kill()
        worker.process.join()
        worker.process.close()
        worker.log.unlink(missing_ok=True)


def _died(task: Task, worker: _Worker) -> Broken:
    code = worker.process.exitcode
    hint = HINT_DEATH if code == OUT_OF_MEMORY else None
    try:
        tail = worker.log.read_text(errors="replace")[-LOG_TAIL:]
    except OSError:
        tail = ""
    return Broken(task.node, "WorkerDied", f"worker died, exit {code}", hint, tail)
