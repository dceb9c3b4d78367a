"""A whole search as one call: open, search, tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from optuna.study import Study

from grasp_bench.core import atomic, checksums, machine
from grasp_bench.core.durations import readable
from grasp_bench.core.errors import RunFailedError, SpecError
from grasp_bench.core.store import Store
from grasp_bench.engine import preflight
from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.display import make_display
from grasp_bench.engine.run import STAGES
from grasp_bench.plan.estimate import estimate
from grasp_bench.plan.fingerprints import Fingerprints, cache_file
from grasp_bench.report.renderers.markdown import document_text
from grasp_bench.spec.loading import LoadedSpec
from grasp_bench.spec.tuning_space import grid_size
from grasp_bench.studies.tuning.findings import tuning_of
from grasp_bench.studies.tuning.report import lay_out_tuning
from grasp_bench.studies.tuning.schema import Tuning
from grasp_bench.studies.tuning.search import Search
from grasp_bench.studies.tuning.search_space import (
    Base,
    absent,
    base_of,
    identity,
    idle_keys,
    plan_of,
    trainings,
)
from grasp_bench.studies.tuning.storage import kept_in, open_study
from grasp_bench.studies.tuning.worker import Orders

FILE = "tuning.json"


@dataclass(frozen=True)
class Asked:
    """How a search is worked at. `devices` has one entry a worker; `trials` None is the spec's number."""

    store: Path
    results: Path
    leaderboard: Path
    devices: tuple[str, ...]
    trials: int | None = None
    storage: str | None = None
    study: str | None = None
    memory_mb: int = 512
    log_format: str = "auto"


def tune(loaded: LoadedSpec, asked: Asked) -> Tuning:
    """Search until there are enough trials; write `results/<spec>/tuning.json` and `<spec>.tuning.md`.

    Raises SpecError when the spec has no space, or one that changes nothing; RunFailedError when every trial
    failed, or what all of them need cannot be made.
    """
    base = base_of(loaded.experiment, str(loaded.path))
    fingerprint = Fingerprints(cache_file(asked.store))
    idle = idle_keys(base, fingerprint)
    _refuse_idle(base, idle, loaded.path)
    total = asked.trials or base.tuning.trials
    if base.tuning.sampler == "grid":
        total = min(total, grid_size(base.space))
    searches = identity(base, fingerprint)
    seconds = _look_ahead(base, asked, fingerprint)
    kept = kept_in(base, asked.store, fingerprint, asked.storage, asked.study)
    study = open_study(kept, searches)
    threads = max(1, machine.cores() // len(asked.devices))
    orders = Orders(base, kept, searches, total, asked.store, STAGES, threads, asked.memory_mb)
    _search(orders, study, asked, seconds)
    found = tuning_of(base, study, total, idle)
    _write(found, asked)
    failed = [trial for trial in found["trials"] if trial["state"] == "failed"]
    if failed and len(failed) == len(found["trials"]):
        raise RunFailedError(f"all {len(failed)} trials failed", mend="see the notes above; mend the space")
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


def _look_ahead(base: Base, asked: Asked, fingerprint: Fingerprints) -> float:
    """What can be known to fail fails now; returns a guess of a trial's seconds, by the base cell."""
    store, plan = Store(asked.store), plan_of(base, {}, fingerprint)
    own = list(trainings(plan).values())
    missing = {node.hash: node for training in own for node in absent(training, store)}
    guess = estimate(plan, list(missing.values()), store, 1)
    preflight.check(store, asked.results, guess.disk_mb)
    preflight.check_keys(missing.values())
    return estimate(plan, own, store, 1).seconds


def _search(orders: Orders, study: Study, asked: Asked, seconds: float) -> None:
    """Nothing is shown where nothing is left to do."""
    search = Search(orders, study, asked.devices)
    todo = search.prepare()
    view: Callback = make_display(asked.log_format, todo)
    try:
        about = f", about {readable(seconds)} each (rough)" if todo else ""
        resumed = "resuming " if todo < orders.total else ""
        view.note(f"{resumed}{todo}/{orders.total} trials to do{about}; study {study.study_name}")
        for name in orders.base.left_out:
            view.note(f"`{name}` is not searched: trials are of the base cell alone")
        if todo:
            search.run(view)
    finally:
        view.close()


def _write(found: Tuning, asked: Asked) -> None:
    checksums.write(asked.results / found["spec"] / FILE, found)
    text = document_text(lay_out_tuning(found))
    atomic.write_text(asked.leaderboard / f"{found['spec']}.tuning.md", text)
