"""Decide which trials count, and queue again those whose process died.

A trial counts unless it failed without a message: it was interrupted, killed, or not needed any more. It is
queued again, with the same values. A trial that has killed its own process three times, mostly by memory, has
failed for good.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from grasp_bench.core import locks

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
    held = locks.acquire(lock)
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
        return locks.is_abandoned(Path(lock))
    return bool(host == socket.gethostname())
