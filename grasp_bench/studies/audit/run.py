"""Running the arms of a protocol audit, one after the other, through the ordinary engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.core.errors import DamagedError, RunFailedError
from grasp_bench.core.store import Store
from grasp_bench.engine.publish import identity
from grasp_bench.engine.run import RunConfig, run_plan
from grasp_bench.report.renderers.json_text import as_json
from grasp_bench.report.study import write_study
from grasp_bench.spec.experiment import Experiment
from grasp_bench.studies.audit.compare import Audit, audit_of
from grasp_bench.studies.audit.variants import Arm, Hazard
from grasp_bench.studies.study_files import dataset_cards

FILE = "audit.json"


def run_audit(
    arms: Sequence[Arm],
    hazards: Sequence[tuple[Hazard, Arm | None]],
    shop: RunConfig,
    tell: Callable[[str], None],
) -> Audit:
    """Make what is absent of every arm, and `results/<spec>/audit.json` of what they say.

    Protocols are published below the shop's results, hazards below its store: figures of theirs are in
    the audit, and the command makes them again. Raises RunFailedError when cells of an arm failed.
    """
    caches = shop.store / "audit"
    for arm in arms:
        _run(arm, shop, tell)
    for _, switched in hazards:
        if switched is not None:
            _run(switched, replace(shop, results=caches), tell)
    audit = audit_of(arms, hazards, shop.results, caches)
    atomic.write_json(shop.results / audit.name / FILE, as_json(audit))
    return audit


def _run(arm: Arm, shop: RunConfig, tell: Callable[[str], None]) -> None:
    tell(f"{arm.name}:")
    folder = shop.results / arm.plan.name
    with suppress(DamagedError):  # it is set aside now, and made again below
        _write_study(folder, arm, shop.store)
    if not arm.plan.cells:
        tell("nothing that it changes")
        return
    outcome = run_plan(arm.plan, shop)
    _write_study(folder, arm, shop.store)
    if outcome.failed:
        slug, failure = next(iter(outcome.failed.items()))
        raise RunFailedError(
            f"{arm.plan.name}: {len(outcome.failed)} of {len(arm.plan.cells)} cells failed, such as {slug}: "
            f"{failure.message}",
            mend=failure.mend or "the same command keeps what is finished and tries the rest again",
        )


def _write_study(folder: Path, arm: Arm, store: Path) -> None:
    planned = [identity(cell) for cell in arm.plan.cells]
    write_study(folder, _asking(arm), planned, dataset_cards(arm.plan, Store(store)))


def _asking(arm: Arm) -> Experiment:
    """The experiment with its name and its questions as this arm asks them: by its own ranking."""
    protocol = arm.experiment.dataset.protocol
    by = {"also_full_ranking": arm.ranking == "full"}
    dataset = arm.experiment.dataset.model_copy(update={"protocol": protocol.model_copy(update=by)})
    hypotheses = tuple(
        each.model_copy(update={"protocol": arm.ranking}) for each in arm.experiment.hypotheses
    )
    changed = {"name": arm.plan.name, "dataset": dataset, "hypotheses": hypotheses}
    return arm.experiment.model_copy(update=changed)
