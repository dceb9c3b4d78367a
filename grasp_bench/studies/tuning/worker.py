"""Worker process of a search: make one trial after another until there are enough."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from optuna.study import Study

from grasp_bench.core import locks
from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.store import Store
from grasp_bench.engine.execute import limit_threads
from grasp_bench.engine.worker import load_stages, serve_parent
from grasp_bench.plan.fingerprints import Fingerprints, cache_file
from grasp_bench.studies.tuning.samplers import SeededByPlace, pruner_of
from grasp_bench.studies.tuning.search_space import Base
from grasp_bench.studies.tuning.storage import StudyLocation, open_study
from grasp_bench.studies.tuning.trial_state import left, place, requeue_dead, waiting, worker_name
from grasp_bench.studies.tuning.trials import NotNeeded, TrialContext, TrialFailed, Trials

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
    held = locks.acquire(lock)
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
    return left(study, total) > 0 and (base.tuning.sampler != "grid" or waiting(study))
