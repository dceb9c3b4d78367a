"""Run tasks in Ray actors, on this machine or on cluster nodes that share the store's file system.

A dead actor is not restarted: its task fails, and a new actor takes the next task.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from grasp_bench.core import machine
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.machine import require
from grasp_bench.engine.tasks import HINT_DEATH, Broken, End, OnProgress, Progress, Task, WorkerConfig
from grasp_bench.engine.worker import TaskRunner, limit_threads

SECONDS_TO_SAVE = 10.0
SECONDS_BETWEEN_LOOKS = 0.2
OBJECT_STORE_BYTES = 100 << 20  # artefacts go through the store, hardly anything through Ray


@dataclass
class _Worker:
    actor: Any
    location: Any  # reference to (node id, process id), known once the actor lives
    task: Task | None = None
    end: Any = None  # reference to the task's End


class RayCluster:
    """An Executor with one actor for each device given, started when first needed."""

    def __init__(self, config: WorkerConfig, devices: list[str], on_progress: OnProgress) -> None:
        self._ray = require("ray", extra="ray")
        self.slots = len(devices)
        self._config = replace(config, store=config.store.absolute())
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
        """Give the task to an idle living actor, or to a new one in a free slot."""
        for slot, worker in list(self._workers.items()):
            if worker.task is None and not self._lives(worker):
                self._remove(slot)
        busy = {slot for slot, worker in self._workers.items() if worker.task is not None}
        # A living actor before a new one.
        slot = min(set(range(self.slots)) - busy, key=lambda slot: slot not in self._workers)
        if slot not in self._workers:
            self._workers[slot] = self._start()
        worker = self._workers[slot]
        worker.task, worker.end = task, worker.actor.make.remote(task)

    def wait(self) -> list[End]:
        """Block until an actor has ended its task or died."""
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
            self._remove(slot)
        if self._connected:
            self._ray.shutdown()
        elif hasattr(self, "_mailbox"):
            self._ray.kill(self._mailbox)

    def stop(self) -> None:
        """Interrupt busy actors, wait for them to save their state, end all."""
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
        actor = self._ray.remote(WorkerActor).options(**options).remote(
            self._config, device, self._threads, self._mailbox, os.getcwd(), sys.path
        )  # fmt: skip
        return _Worker(actor, actor.location.remote())

    def _lives(self, worker: _Worker) -> bool:
        try:
            self._ray.get(worker.actor.location.remote())
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
            self._remove(slot)
            message = str(error)
            first = message.splitlines()[0]
            return Broken(task.node, "WorkerDied", f"worker died: {first}", HINT_DEATH, message)
        return end

    def _interrupt(self, worker: _Worker) -> None:
        with suppress(self._ray.exceptions.RayError):  # not started yet, or dead already
            terminate(*self._ray.get(worker.location, timeout=0))

    def _remove(self, slot: int) -> None:
        self._ray.kill(self._workers.pop(slot).actor)


class WorkerActor:
    """Runs one task after another, in the folder and with the import path of the main program."""

    def __init__(
        self, config: WorkerConfig, device: str, threads: int, mailbox: Any, folder: str, path: list[str]
    ) -> None:
        # As in a worker process, SIGTERM lets the stage save a resumable state.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path]
        limit_threads(threads)
        self._runner = TaskRunner(config, device)
        self._mailbox = mailbox

    def location(self) -> tuple[str, int]:
        """Return node id and process id; an answer also shows that the actor lives."""
        import ray

        return ray.get_runtime_context().get_node_id(), os.getpid()

    def make(self, task: Task) -> End:
        """Make the task's node; KeyboardInterrupt passes through."""
        return self._runner.run(task, self._post)

    def _post(self, progress: Progress) -> None:
        import ray

        ray.get(self._mailbox.post.remote(progress))  # waits: no progress comes after the task's end


class Mailbox:
    """An actor that holds progress until the main program reads it."""

    def __init__(self) -> None:
        self._events: list[Progress] = []

    def post(self, event: Progress) -> None:
        """Add one."""
        self._events.append(event)

    def take(self) -> list[Progress]:
        """Remove and return all."""
        events, self._events = self._events, []
        return events


def interrupt(process: int) -> None:
    """Send SIGTERM to a process of this node."""
    os.kill(process, signal.SIGTERM)


def terminate(node: str, process: int) -> None:
    """Send SIGTERM to a process from its own node: Ray cannot cancel a running actor method."""
    ray = require("ray", extra="ray")
    strategies = require("ray.util.scheduling_strategies", extra="ray")
    there = strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    ray.remote(interrupt).options(num_cpus=0, scheduling_strategy=there).remote(process)


def cluster_address() -> str | None:
    """Return the address of the cluster to join, from $RAY_ADDRESS; None to start Ray here."""
    address = os.environ.get("RAY_ADDRESS", "local")
    return None if address in ("", "local") else address


def connect(cpus: int) -> bool:
    """Join the cluster, or start Ray with `cpus` CPUs; return False when already connected."""
    ray = require("ray", extra="ray")
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray prints a warning
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = cluster_address()
    local = {"num_cpus": cpus, "object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address or "local", **quiet, **({} if address else local))
    except Exception as error:  # Ray raises a bare Exception when it does not start in time
        ray.shutdown()
        message = next(iter(str(error).strip().splitlines()), type(error).__name__)
        hint = (
            "check that RAY_ADDRESS runs the same Ray and Python, and RAY_AUTH_MODE"
            if address
            else "Ray gives up when the cores are busy: try again later, or --executor process_pool"
        )
        raise GraspBenchError(f"Ray at {address or 'this machine'}: {message}", hint=hint) from error
    finally:
        signal.signal(signal.SIGTERM, on_term)  # Ray installs its own handler
    return True


def check_room(workers: int, cpus: int, gpus: float) -> None:
    """Raise GraspBenchError when the cluster is too small: Ray would wait for ever."""
    there = require("ray", extra="ray").cluster_resources()
    for kind, each in (("CPU", cpus), ("GPU", gpus)):
        if each * workers > there.get(kind, 0):
            wanted = f"{workers} workers of {each:g} {kind} each"
            raise GraspBenchError(
                f"{wanted} do not fit: Ray has {there.get(kind, 0):g} {kind}", hint="pass fewer --workers"
            )


def gpu_share(devices: list[str]) -> float:
    """Return the GPUs for one worker: whole ones of a cluster, or a share of this machine's GPU."""
    if devices[0] == "cpu":
        return 0.0
    repeats = max(map(devices.count, devices)) if cluster_address() is None else 1
    return math.floor(10_000 / repeats) / 10_000  # Ray keeps four digits; six rounded sixths fit on no GPU
