"""The journal of a search after a process that died, or a disk that was full, while a line was written."""

from __future__ import annotations

import os
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from grasp_bench.studies.tuning.journal import BLOCK, Journal


def study_of(path: Path, backend: type[JournalFileBackend] = Journal) -> optuna.Study:
    storage = JournalStorage(backend(str(path)))
    return optuna.create_study(study_name="s", storage=storage, load_if_exists=True)


def values(path: Path) -> list[float | None]:
    return [trial.value for trial in study_of(path, JournalFileBackend).get_trials()]


@pytest.mark.parametrize("half", [b"{", b'{"op_code":4,"worker_id":"', b"x" * 3 * BLOCK])
def test_half_a_line_is_dropped_before_the_next_is_written(tmp_path: Path, half: bytes) -> None:
    path = tmp_path / "s.journal"
    study_of(path).optimize(lambda trial: 1.0, n_trials=1)
    path.write_bytes(path.read_bytes() + half)
    study_of(path).optimize(lambda trial: 2.0, n_trials=1)
    study_of(path).optimize(lambda trial: 3.0, n_trials=1)
    assert values(path) == [1.0, 2.0, 3.0]


def test_half_of_the_first_line_leaves_an_empty_journal(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    path.write_bytes(b'{"op_code":0,"wor')
    study_of(path).optimize(lambda trial: 1.0, n_trials=1)
    assert values(path) == [1.0]


def test_what_a_full_disk_did_not_take_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s.journal"
    study = study_of(path)
    study.optimize(lambda trial: 1.0, n_trials=1)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            study.set_user_attr("key", "value")
    assert path.read_bytes() == before
    study_of(path).optimize(lambda trial: 2.0, n_trials=1)
    assert values(path) == [1.0, 2.0]
