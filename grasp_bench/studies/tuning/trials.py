"""Make one trial (from values to trainings, from trainings to a value), and the worker that makes many."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from optuna import TrialPruned
from optuna.study import Study
from optuna.trial import Trial

from grasp_bench.core import atomic
from grasp_bench.core.errors import GraspBenchError, RunFailedError, SpecError
from grasp_bench.core.progress import Event
from grasp_bench.core.registry import Registry
from grasp_bench.core.store import Artefact, Store
from grasp_bench.engine.costs import ledger_of
from grasp_bench.engine.tasks import Broken, Done, Failure, Task
from grasp_bench.engine.worker import execute, limit_threads, load_stages, serve_parent, throttled
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.fingerprints import Fingerprint, Fingerprints, cache_file
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.patches import PATCH
from grasp_bench.stages.context import RunContext, Stage
from grasp_bench.studies.tuning.samplers import EPOCHS, Pruned, PruningCurve, SeededByPlace, pruner_of
from grasp_bench.studies.tuning.search_space import Base, absent, ask, encoded, plan_of, short, trainings
from grasp_bench.studies.tuning.storage import (
    MESSAGE,
    StudyLocation,
    counts,
    is_duplicate,
    left,
    open_study,
    place,
    requeue_dead,
    retry,
    waiting,
    worker_name,
)

VALUES, SECONDS, STOPPED = "values", "seconds", "stopped"
OWN_STAGES = ("reduction", "noise", "neighbours", "train")


class TrialFailed(Exception):
    """A trial that its own values make impossible; the search goes on."""


class NotNeeded(Exception):
    """A trial beyond those asked for, begun by several processes at once."""


@dataclass(frozen=True)
class TrialContext:
    """What a process needs to make trials."""

    store: Store
    stages: Registry[type[Stage]]
    device: str
    threads: int
    memory_mb: int
    fingerprint: Fingerprint
    send: Callable[[Any], Any]


class Trials:
    """The objective of a search: the mean over seeds of the best validation value.

    Raises TrialFailed for what the values of a trial make impossible, RunFailedError for what no trial can
    do without: then the search ends.
    """

    def __init__(self, base: Base, study: Study, total: int, bench: TrialContext) -> None:
        self._base = base
        self._study = study
        self._total = total
        self._bench = bench
        self._monitor = base.experiment.training.monitor
        self._shared = self._needed_by_all()
        self._number: int | None = None

    def __call__(self, trial: Trial) -> float:
        """Make the trainings of a trial, seed by seed."""
        self._number = trial.number
        params = ask(trial, self._base.space)
        if place(self._study, trial.number) >= self._total or self._is_duplicate(trial):
            raise NotNeeded("others were faster")
        node = _trial_node(trial.number, params)
        self._bench.send(("started", node))
        started = time.perf_counter()
        try:
            value = self._mean(trial, params, node)
        except TrialFailed as error:
            trial.set_user_attr(MESSAGE, str(error))
            self._bench.send(("failed", Failure(node, str(error), None, None)))
            raise
        except Pruned:
            trial.set_user_attr(SECONDS, round(time.perf_counter() - started, 3))
            self._end(node, f"pruned at epoch {trial.user_attrs[EPOCHS]}", started)
            raise TrialPruned from None
        self._end(node, f"{self._monitor} {value:.4f}", started)
        return value

    def ask_again(self) -> None:
        """Queue the trial that was interrupted, if one was."""
        if self._number is not None:
            trial = self._study.get_trials(deepcopy=False)[self._number]
            if not counts(trial):
                retry(self._study, trial)

    def _is_duplicate(self, trial: Trial) -> bool:
        """Whether another machine has queued the same point of a grid."""
        return self._base.needs_choices and is_duplicate(self._study, trial.number, trial.params)

    def _end(self, node: Node, said: str, started: float) -> None:
        named = replace(node, label=f"{node.label}: {said}")
        self._bench.send(("finished", Done(named, time.perf_counter() - started, reused=False)))

    def _needed_by_all(self) -> frozenset[str]:
        plan = plan_of(self._base, {}, self._bench.fingerprint)
        nodes = (node for training in trainings(plan).values() for node in training.ancestors())
        return frozenset(node.hash for node in nodes if node.stage not in OWN_STAGES)

    def _mean(self, trial: Trial, params: dict[str, Any], node: Node) -> float:
        try:
            plan = plan_of(self._base, params, self._bench.fingerprint)
        except SpecError as error:
            lines = [line.removeprefix(PATCH.file).lstrip(": ") for line in error.problems]
            raise TrialFailed("; ".join(lines)) from None
        except GraspBenchError as error:
            raise TrialFailed(error.message) from None
        values: dict[str, float] = {}
        epochs, seconds, stopped = 0, 0.0, []
        for turn, (seed, training) in enumerate(trainings(plan).items()):
            facts = self._trained(trial if turn == 0 else None, training, plan, node).sidecar["facts"]
            value = facts[f"validation_{self._monitor}"]
            if not math.isfinite(value):
                raise TrialFailed(f"{training.label}: the validation value is not finite")
            values[str(seed)] = value
            epochs, seconds = epochs + facts["epochs"], seconds + facts["training_seconds"]
            stopped.append(facts["stopped"])
            for name, told in ((VALUES, values), (EPOCHS, epochs), (SECONDS, round(seconds, 3))):
                trial.set_user_attr(name, told)
        trial.set_user_attr(STOPPED, stopped)
        return fmean(values.values())

    def _trained(self, trial: Trial | None, training: Node, plan: Plan, shown: Node) -> Artefact:
        """Make a training or find it; its curve is reported to `trial`, so that it can be pruned."""
        bench = self._bench
        watched = trial is not None and self._base.tuning.pruner != "none"
        curve = PruningCurve(trial, self._monitor) if trial is not None and watched else None
        show = throttled(shown, lambda progress: bench.send(("progress", progress)))
        live = False
        for node in absent(training, bench.store):

            def report(event: Event, node: Node = node) -> None:
                told = event.note or event.unit
                show(replace(event, note=f"{node.label}: {told}" if told else node.label))
                if curve is not None and node == training and event.value is not None:
                    curve.tell(event.done, event.value)

            context = RunContext(bench.device, bench.threads, report, bench.memory_mb, ledger_of(bench.store))
            end = execute(Task(node, bench.threads), bench.store, bench.stages, context)
            if isinstance(end, Broken):
                self._fail(end)
            live = isinstance(end, Done) and not end.reused
        artefact = bench.store.get(training.stage, training.hash)
        if curve is not None and not live:
            curve.report_all(artefact)
        return artefact

    def _fail(self, broken: Broken) -> None:
        if broken.node.hash in self._shared:
            raise RunFailedError(f"{broken.node.label}: {broken.message}", hint=broken.hint)
        raise TrialFailed(f"{broken.node.label}: {broken.message}")


def _trial_node(number: int, params: dict[str, Any]) -> Node:
    """A trial as a node for progress displays."""
    told = {key: encoded(value) for key, value in params.items()}
    return Node("trial", told, {}, f"trial-{number}", f"trial {number} ({short(params)})")


INTERRUPTED = 130
Kind = Literal["started", "progress", "finished", "failed", "error"]  # what a worker says, with what it is


@dataclass(frozen=True)
class SearchConfig:
    """Settings of a search that every worker gets."""

    base: Base
    kept: StudyLocation
    searches: str
    total: int
    store: Path
    stages: str
    threads: int
    memory_mb: int


def work(tell: Connection, config: SearchConfig, device: str, name: str, log: Path) -> None:
    """Body of a worker process; sends pairs of a Kind and its content."""
    serve_parent(log)
    limit_threads(config.threads)
    try:
        with _shown_to_live(config.kept.locks / f"{name}.lock") as shown:
            search(config, device, shown, _sender(tell))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except GraspBenchError as error:
        tell.send(("error", error))
    except Exception as error:  # of the storage, or of ours: other trials would meet it, too
        tell.send(("error", GraspBenchError(f"{type(error).__name__}: {error}")))


def _sender(tell: Connection) -> Callable[[Any], None]:
    """Return a sender to the command; it raises KeyboardInterrupt where the command is gone."""

    def send(said: Any) -> None:
        try:
            tell.send(said)
        except OSError:
            raise KeyboardInterrupt from None

    return send


@contextmanager
def _shown_to_live(lock: Path) -> Iterator[str]:
    """Hold a lock that the system frees when this process dies."""
    held = atomic.acquire(lock)
    try:
        yield worker_name(lock)
    finally:
        held.release()
        lock.unlink(missing_ok=True)


def search(config: SearchConfig, device: str, worker: str, send: Callable[[Any], Any]) -> None:
    """Make trials until there are enough; `worker` is the name stored in each trial."""
    base, store = config.base, Store(config.store)
    study = open_study(config.kept, config.searches)
    study.sampler = SeededByPlace(
        base.tuning.sampler, base.tuning.seed, lambda number: place(study, number), worker
    )
    study.pruner = pruner_of(base.tuning, base.experiment.training)
    bench = TrialContext(
        store, load_stages(config.stages), device, config.threads, config.memory_mb,
        Fingerprints(cache_file(config.store)), send,
    )  # fmt: skip
    trials = Trials(base, study, config.total, bench)
    while _wanted(study, base, config.total):
        try:
            study.optimize(trials, n_trials=1, catch=(TrialFailed, NotNeeded))
        except KeyboardInterrupt:
            trials.ask_again()
            raise


def _wanted(study: Study, base: Base, total: int) -> bool:
    """Whether a trial is left to make; those of a grid are queued."""
    requeue_dead(study)
    return left(study, total) > 0 and (not base.needs_choices or waiting(study))
