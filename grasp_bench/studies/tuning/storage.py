"""Open the storage of a search: a journal in the store, or any database that Optuna knows."""

from __future__ import annotations

import re
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study

from grasp_bench.core.errors import IncomparableError, SpecError, StoreError
from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.spec.experiment import NAME
from grasp_bench.studies.tuning.search_space import Base, identity
from grasp_bench.studies.tuning.trial_state import retry

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
    name = study or f"{base.experiment.name}-{content_hash(decisive)[:8]}"
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
    return JournalStorage(journal.JournalFileBackend(address))


def _shown(address: str) -> str:
    """Without the password of a URL."""
    return re.sub(r"://[^@/\s]*@", "://…@", address)
