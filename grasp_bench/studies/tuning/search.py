"""A search from its command: workers are started, listened to and, where they die, replaced."""

from __future__ import annotations

import multiprocessing
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from optuna.study import Study

from grasp_bench.core.errors import GraspBenchError, RunFailedError
from grasp_bench.engine.callbacks import Callback
from grasp_bench.spec.provenance import resolved
from grasp_bench.studies.tuning.search_space import encoded, grid
from grasp_bench.studies.tuning.trial_state import fill, left, put_right, worker_name
from grasp_bench.studies.tuning.worker import Kind, Orders, work

SECONDS_TO_SAVE = 10.0
LOG_TAIL = 4000


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    name: str
    log: Path
    begun: int = 0


class Search:
    """One command's share of a search, which others may work at, too."""

    def __init__(self, orders: Orders, study: Study, devices: Sequence[str]) -> None:
        self._orders = orders
        self._study = study
        self._devices = devices
        self._workers: list[_Worker] = []
        self._error: GraspBenchError | None = None

    def prepare(self) -> int:
        """Put right what died, queue a grid's points; say how many trials nobody has begun."""
        orders, base = self._orders, self._orders.base
        put_right(self._study)
        if base.tuning.sampler == "grid":
            points = grid(base.space, resolved(base.experiment))
            kept = [{key: encoded(value) for key, value in point.items()} for point in points]
            fill(self._study, kept, orders.total, orders.kept.locks / "queue.lock")
        return left(self._study, orders.total)

    def run(self, view: Callback) -> None:
        """Work until there are enough trials, or other commands are at the last of them.

        Raises what no trial can do without, and RunFailedError when workers die before their first trial.
        KeyboardInterrupt ends them and passes on: what they were at is asked again next time.
        """
        try:
            while todo := self.prepare():
                self._round(self._devices[:todo], view)
        finally:
            self._stop()

    def _round(self, devices: Sequence[str], view: Callback) -> None:
        """Until every worker has ended; those that died are replaced in the next round."""
        self._workers = [self._start(device) for device in devices]
        begun = 0
        deaths: list[str] = []
        while self._workers:
            ready = wait([x for each in self._workers for x in (each.pipe, each.process.sentinel)])
            for worker in list(self._workers):
                if worker.pipe in ready or worker.process.sentinel in ready:
                    self._hear(worker, view)
                    if not worker.process.is_alive():
                        self._hear(worker, view)  # what it said last
                        begun += worker.begun
                        deaths += self._bury(worker, view)
            if self._error is not None:
                raise self._error
        if deaths and not begun:
            raise RunFailedError(f"workers died before they came to a trial\n{deaths[-1]}".strip())

    def _start(self, device: str) -> _Worker:
        here, there = multiprocessing.Pipe(duplex=False)
        name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        log = self._orders.store / "logs" / f"tuning-{name}.log"
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(there, self._orders, device, name, log), daemon=True
        )
        process.start()
        there.close()  # or the pipe would stay open when the worker dies
        return _Worker(process, here, name, log)

    def _hear(self, worker: _Worker, view: Callback) -> None:
        try:
            while worker.pipe.poll():
                kind, said = worker.pipe.recv()
                worker.begun += kind == "started"
                self._tell(kind, said, view)
        except (EOFError, OSError):
            worker.process.join(SECONDS_TO_SAVE)

    def _tell(self, kind: Kind, said: Any, view: Callback) -> None:
        match kind:
            case "started":
                view.started(said)
            case "progress":
                view.progress(said)
            case "finished":
                view.finished(said)
            case "failed":
                view.failed(said)
            case "error":
                self._error = said

    def _bury(self, worker: _Worker, view: Callback) -> list[str]:
        """Forget a worker that has ended; the end of its output if it died."""
        self._workers.remove(worker)
        worker.process.join()
        last_words = []
        if code := worker.process.exitcode:
            there = worker.log.is_file()
            last_words.append(worker.log.read_text(errors="replace")[-LOG_TAIL:] if there else "")
            view.note(f"a worker died, exit {code}; its trial is asked again")
            lock = self._orders.kept.locks / f"{worker.name}.lock"
            put_right(self._study, worker_name(lock))
        worker.pipe.close()
        worker.process.close()
        worker.log.unlink(missing_ok=True)
        return last_words

    def _stop(self) -> None:
        """End what still works; each has time to leave a state that can be resumed."""
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(SECONDS_TO_SAVE)
            if worker.process.is_alive():
                worker.process.kill()
            worker.pipe.close()
            worker.log.unlink(missing_ok=True)
        self._workers = []
