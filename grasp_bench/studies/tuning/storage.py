"""The storage of a search: a journal or a database of Optuna, which trials count, whose process died.

A trial counts unless it failed without a message: it was interrupted, killed, or not needed any more. It is
queued again, with the same values. A trial that has killed its own process three times, mostly by memory, has
failed for good.
"""

from __future__ import annotations

import re
import socket
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from grasp_bench.core import atomic
from grasp_bench.core.errors import IncomparableError, SpecError, StoreError
from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.spec.experiment import NAME
from grasp_bench.studies.tuning.journal import Journal
from grasp_bench.studies.tuning.search_space import Base, identity

WORKER = "worker"  # attribute of a trial: host and lock file of the process that is at it
MESSAGE = "message"  # why it failed, for good
DEATHS = "deaths"
MOST_DEATHS = 3
UNNAMED = timedelta(minutes=1)  # a trial is told of its worker as soon as it is there


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial counts towards the requested number."""
    return trial.state != TrialState.FAIL or MESSAGE in trial.user_attrs


def place(study: Study, number: int) -> int:
    """How many trials that count have a lower number."""
    return sum(counts(trial) for trial in study.get_trials(deepcopy=False) if trial.number < number)


def taken(study: Study) -> int:
    """How many trials are finished or running."""
    trials = study.get_trials(deepcopy=False)
    return sum(counts(trial) and trial.state != TrialState.WAITING for trial in trials)


def left(study: Study, total: int) -> int:
    """How many trials nobody has begun."""
    return max(0, total - taken(study))


def waiting(study: Study) -> bool:
    """Whether trials are queued."""
    return bool(study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))


def running(study: Study) -> int:
    """How many trials are running."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))


def trial_params(trial: FrozenTrial) -> dict[str, Any]:
    """The values of a trial, also of one that is queued."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def fill(study: Study, points: Iterable[dict[str, Any]], total: int, lock: Path) -> None:
    """Queue points, in their order, until `total` trials count; those that are there are passed over."""
    held = atomic.acquire(lock)
    try:
        there = [trial_params(trial) for trial in study.get_trials(deepcopy=False) if counts(trial)]
        for point in [point for point in points if point not in there][: max(0, total - len(there))]:
            study.enqueue_trial(point)
    finally:
        held.release()


def is_duplicate(study: Study, number: int, params: dict[str, Any]) -> bool:
    """Whether an earlier trial that counts has the same values: machines may queue a grid at once."""
    trials = study.get_trials(deepcopy=False)
    return any(t.number < number and counts(t) and trial_params(t) == params for t in trials)


def worker_name(lock: Path) -> str:
    """The name of a worker process, stored in its trial."""
    return f"{socket.gethostname()}:{lock}"


def requeue_dead(study: Study, died: str = "") -> None:
    """Queue again the running trials of dead processes; `died` is a process that was seen to die alone.

    A process is dead when nobody holds its lock file. A process of another
    machine, whose file is not visible here, is left to that machine, or to the heartbeat of a database.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(trial):
            with suppress(UpdateFinishedTrialError, ValueError):  # another process was faster
                study.tell(trial.number, state=TrialState.FAIL)
                alone = trial.user_attrs.get(WORKER) == died
                _ask_again(study, trial, trial.user_attrs.get(DEATHS, 0) + alone)


def retry(study: Study, trial: FrozenTrial) -> None:
    """Queue the values of a trial again."""
    _ask_again(study, trial, trial.user_attrs.get(DEATHS, 0))


def _ask_again(study: Study, trial: FrozenTrial, deaths: int) -> None:
    if MESSAGE in trial.user_attrs:
        return
    again = deaths < MOST_DEATHS
    told = {DEATHS: deaths} if again else {MESSAGE: f"its process died {deaths} times"}
    study.add_trial(
        create_trial(
            state=TrialState.WAITING if again else TrialState.FAIL,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=told,
            system_attrs=trial.system_attrs,
            intermediate_values=trial.intermediate_values,
        )
    )


def _is_dead(trial: FrozenTrial) -> bool:
    host, _, lock = trial.user_attrs.get(WORKER, "").partition(":")
    if not lock:
        return trial.datetime_start is not None and datetime.now() - trial.datetime_start > UNNAMED
    if Path(lock).exists():
        return atomic.is_abandoned(Path(lock))
    return bool(host == socket.gethostname())


SEARCHES = "identity"  # attribute of a study: what its trials have in common
HEARTBEAT_SECONDS, SILENT_SECONDS = 30, 120
PAUSES = (0.5, 1.0, None)  # seconds before opening is tried again
URL = "://"


@dataclass(frozen=True)
class StudyLocation:
    """`address`: a file or a URL; `study`: the name in there; `locks`: where workers show that they live."""

    address: str
    study: str
    locks: Path


def study_location(
    base: Base, store: Path, fingerprint: Fingerprint, storage: str | None, study: str | None
) -> StudyLocation:
    """Locate a search; by default in a journal in the store, named by the settings that decide its trials."""
    if study is not None and not re.fullmatch(NAME, study):
        raise SpecError([f"--study {study}: letters, digits, dot, dash and underscore only"])
    tuning = base.tuning
    decisive = [identity(base, fingerprint), tuning.sampler, tuning.pruner, tuning.seed]
    of_method = "-" + re.sub(r"[^A-Za-z0-9_]+", "-", base.method) if base.method else ""
    own = f"{base.experiment.name}{of_method}-{content_hash(decisive)[:8]}"
    name = own if study is None else f"{study}{of_method}"
    folder = store / "tuning"
    address = storage or str(folder / f"{name}.journal")
    beside = folder if URL in address else Path(address).parent
    return StudyLocation(address, name, (beside / f"{name}.workers").absolute())


def open_study(kept: StudyLocation, searches: str) -> Study:
    """Open the study, made if it is not there.

    Raises StoreError when the storage cannot be opened, IncomparableError when trials of another base or
    space are in the study.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for pause in PAUSES:
        try:
            study, known = _study(kept, searches)
            break
        except Exception as error:  # any database's own; two commands may be making its tables at once
            if pause is None:
                reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                raise StoreError(
                    f"{_shown(kept.address)}: the study cannot be opened ({_shown(reason)})",
                    hint="check --storage: a file, or a URL that Optuna takes, such as sqlite:///x.db",
                ) from None
            time.sleep(pause)
    if known != searches:
        raise IncomparableError(
            f"study '{kept.study}' in {_shown(kept.address)} has trials of another base cell or space",
            hint="give this search a name of its own (--study), or leave --study out",
        )
    return study


def _study(kept: StudyLocation, searches: str) -> tuple[Study, str]:
    """The study, and what its trials have in common."""
    study = optuna.create_study(
        study_name=kept.study, storage=_opened(kept.address), direction="maximize", load_if_exists=True
    )
    known: str | None = study.user_attrs.get(SEARCHES)
    if known is None:
        study.set_user_attr(SEARCHES, searches)
    return study, known or searches


def _opened(address: str) -> optuna.storages.BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage, journal

    if address.startswith(("redis://", "rediss://")):
        return JournalStorage(journal.JournalRedisBackend(address))
    if URL in address:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return RDBStorage(
                address,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=SILENT_SECONDS,
                heartbeat_stale_trial_callback=retry,
            )
    Path(address).parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(Journal(address))


def _shown(address: str) -> str:
    """Without the password of a URL."""
    return re.sub(r"://[^@/\s]*@", "://…@", address)
