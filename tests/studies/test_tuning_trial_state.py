"""Trials whose process died: who is dead, what is asked again, and when that is enough."""

from __future__ import annotations

import socket
from pathlib import Path

import optuna
import pytest
from filelock import FileLock
from optuna.study import Study
from optuna.trial import TrialState

from grasp_bench.studies.tuning import storage
from grasp_bench.studies.tuning.storage import MESSAGE, WORKER, left, place, requeue_dead, worker_name

HERE = socket.gethostname()


@pytest.fixture
def study() -> Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))


def begin(study: Study, worker: str) -> optuna.Trial:
    trial = study.ask()
    trial.set_user_attr(WORKER, worker)
    trial.suggest_int("n", 1, 1000)
    return trial


def states(study: Study) -> list[str]:
    return [trial.state.name for trial in study.get_trials()]


def test_a_dead_workers_trial_is_asked_again_with_its_values(study: Study, tmp_path: Path) -> None:
    lock = tmp_path / "worker.lock"
    with FileLock(lock):
        first = begin(study, worker_name(lock))
        requeue_dead(study)
        assert states(study) == ["RUNNING"]
    lock.touch()  # what a killed process leaves: the file, and nobody who holds it
    requeue_dead(study)
    assert states(study) == ["FAIL", "WAITING"]
    again = study.ask()
    assert again.suggest_int("n", 1, 1000) == first.params["n"]
    assert place(study, again.number) == 0  # it takes the place of the one that died
    assert left(study, 3) == 2


def test_other_machines_are_left_alone(study: Study, tmp_path: Path) -> None:
    begin(study, f"elsewhere:{tmp_path / 'not-seen-from-here.lock'}")
    begin(study, f"{HERE}:{tmp_path / 'gone.lock'}")
    requeue_dead(study)
    assert states(study) == ["RUNNING", "FAIL", "WAITING"]


def test_a_trial_that_kills_its_process_again_and_again_has_failed(study: Study, tmp_path: Path) -> None:
    worker = f"{HERE}:{tmp_path / 'gone.lock'}"
    for _ in range(storage.MOST_DEATHS):
        begin(study, worker)
        requeue_dead(study, worker)
    failed = [trial for trial in study.get_trials() if MESSAGE in trial.user_attrs]
    assert [trial.user_attrs[MESSAGE] for trial in failed] == ["its process died 3 times"]
    assert TrialState.WAITING not in {trial.state for trial in study.get_trials()}
    assert left(study, 1) == 0


def test_a_command_that_is_killed_again_and_again_has_not_failed(study: Study, tmp_path: Path) -> None:
    for _ in range(2 * storage.MOST_DEATHS):
        begin(study, f"{HERE}:{tmp_path / 'gone.lock'}")
        requeue_dead(study)
    assert states(study)[-1] == "WAITING"
    assert left(study, 1) == 1


def test_a_queue_is_filled_once(study: Study, tmp_path: Path) -> None:
    points = [{"n": n} for n in range(5)]
    for total in (3, 3, 5):
        storage.fill(study, points, total, tmp_path / "queue.lock")
    assert [storage.trial_params(trial)["n"] for trial in study.get_trials()] == [0, 1, 2, 3, 4]
