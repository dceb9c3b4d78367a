"""Run a whole search: start workers, listen to them, replace those that die, and write the findings."""

from __future__ import annotations

import multiprocessing
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from optuna.study import Study

from grasp_bench.core import atomic, hashing, machine
from grasp_bench.core.errors import GraspBenchError, RunFailedError, SpecError
from grasp_bench.core.store import Store
from grasp_bench.core.words import readable
from grasp_bench.engine import diagnostics
from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.display import make_display
from grasp_bench.engine.run import STAGES
from grasp_bench.plan.estimate import estimate
from grasp_bench.plan.fingerprints import Fingerprints, cache_file
from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.spec.loading import LoadedSpec, resolved_values
from grasp_bench.spec.tuning_space import grid_size
from grasp_bench.studies.tuning.findings import tuning_of
from grasp_bench.studies.tuning.report import lay_out_tuning
from grasp_bench.studies.tuning.schema import Tuning
from grasp_bench.studies.tuning.search_space import (
    Base,
    absent,
    base_of,
    encoded,
    grid,
    identity,
    ineffective_keys,
    plan_of,
    trainings,
)
from grasp_bench.studies.tuning.storage import (
    fill,
    left,
    open_study,
    requeue_dead,
    study_location,
    worker_name,
)
from grasp_bench.studies.tuning.trials import Kind, SearchConfig, work

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
    """The part of a search that one command does; other commands may work at the same search."""

    def __init__(self, config: SearchConfig, study: Study, devices: Sequence[str]) -> None:
        self._config = config
        self._study = study
        self._devices = devices
        self._workers: list[_Worker] = []
        self._error: GraspBenchError | None = None

    def prepare(self) -> int:
        """Queue trials of dead workers and points of a grid; return how many trials are not begun."""
        config, base = self._config, self._config.base
        requeue_dead(self._study)
        points: list[Mapping[str, Any]] = [base.first] if base.first is not None else []
        if base.needs_choices:
            points = list(grid(base.space, resolved_values(base.experiment)))
        if points:
            kept = [{key: encoded(value) for key, value in point.items()} for point in points]
            fill(self._study, kept, config.total, config.kept.locks / "queue.lock")
        return left(self._study, config.total)

    def run(self, view: Callback) -> None:
        """Work until there are enough trials, or other commands are at the last of them.

        Raises what no trial can do without, and RunFailedError when workers die before their first trial.
        KeyboardInterrupt ends the workers and passes on: their trials are queued again next time.
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
        log = self._config.store / "logs" / f"tuning-{name}.log"
        process = multiprocessing.get_context("spawn").Process(
            target=work, args=(there, self._config, device, name, log), daemon=True
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
            lock = self._config.kept.locks / f"{worker.name}.lock"
            requeue_dead(self._study, worker_name(lock))
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


FILE = "tuning.json"


@dataclass(frozen=True)
class SearchOptions:
    """Options of a search. `devices` has one entry for each worker; `trials` None is the spec's number."""

    store: Path
    results: Path
    leaderboard: Path
    devices: tuple[str, ...]
    trials: int | None = None
    storage: str | None = None
    study: str | None = None
    memory_mb: int = 512
    log_format: str = "auto"


def tune(loaded: LoadedSpec, options: SearchOptions) -> Tuning:
    """Search until there are enough trials; write `results/<spec>/tuning.json` and `<spec>.tuning.md`.

    Raises SpecError when the spec has no space, or one that changes nothing; RunFailedError when every trial
    failed, or what all of them need cannot be made.
    """
    base = base_of(loaded.experiment, str(loaded.path))
    fingerprint = Fingerprints(cache_file(options.store))
    idle = ineffective_keys(base, fingerprint)
    _refuse_idle(base, idle, loaded.path)
    found = searched(base, options, fingerprint, idle)
    hashing.write(options.results / found["spec"] / FILE, found)
    text = document_text(lay_out_tuning(found))
    atomic.write_text(options.leaderboard / f"{found['spec']}.tuning.md", text)
    return found


def searched(base: Base, options: SearchOptions, fingerprint: Fingerprints, idle: Sequence[str]) -> Tuning:
    """Search one cell until there are enough trials, and collect the findings; writes no results.

    Raises RunFailedError when every trial failed, or what all of them need cannot be made.
    """
    total = options.trials or base.tuning.trials
    if base.needs_choices:
        total = min(total, grid_size(base.space))
    searches = identity(base, fingerprint)
    seconds = _look_ahead(base, options, fingerprint)
    kept = study_location(base, options.store, fingerprint, options.storage, options.study)
    study = open_study(kept, searches)
    threads = max(1, machine.cores() // len(options.devices))
    config = SearchConfig(base, kept, searches, total, options.store, STAGES, threads, options.memory_mb)
    _run_search(config, study, options, seconds)
    found = tuning_of(base, study, total, idle)
    failed = [trial for trial in found["trials"] if trial["state"] == "failed"]
    if failed and len(failed) == len(found["trials"]):
        raise RunFailedError(f"all {len(failed)} trials failed", hint="see the notes above; change the space")
    return found


def _refuse_idle(base: Base, idle: list[str], spec: Path) -> None:
    if len(idle) == len(base.space):
        model = base.experiment.model
        cell = f"{model.backbone}-{model.enhancer}"
        raise SpecError(
            [
                f"{spec} tuning.space: {', '.join(idle)} changes nothing of {cell}, the base cell that is "
                "searched: it is what `model` says, whatever `compare` compares"
            ]
        )


def _look_ahead(base: Base, options: SearchOptions, fingerprint: Fingerprints) -> float:
    """Check disk and keys before the search; return an estimate of a trial's seconds, by the base cell."""
    store, plan = Store(options.store), plan_of(base, {}, fingerprint)
    own = list(trainings(plan).values())
    missing = {node.hash: node for training in own for node in absent(training, store)}
    guess = estimate(plan, list(missing.values()), store, 1)
    diagnostics.check(store, options.results, guess.disk_mb)
    diagnostics.check_keys(missing.values())
    return sum(estimate(plan, own, store, 1).node_seconds.values())


def _run_search(config: SearchConfig, study: Study, options: SearchOptions, seconds: float) -> None:
    """Search and show progress; silent where nothing is left to do."""
    search = Search(config, study, options.devices)
    todo = search.prepare()
    view: Callback = make_display(options.log_format, todo)
    try:
        about = f", about {readable(seconds)} each (rough)" if todo else ""
        resumed = "resuming " if todo < config.total else ""
        of_method = f"{config.base.method}: " if config.base.method else ""
        count = f"{resumed}{todo}/{config.total} trials to do"
        view.note(f"{of_method}{count}{about}; study {study.study_name}")
        for name in config.base.left_out:
            view.note(f"`{name}` is not searched: trials are of the base cell alone")
        if todo:
            search.run(view)
    finally:
        view.close()
