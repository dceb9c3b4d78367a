"""Run the variants of a protocol audit, one after the other, through the ordinary engine."""

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
from grasp_bench.studies.audit.variants import Hazard, Variant
from grasp_bench.studies.study_files import dataset_cards

FILE = "audit.json"


def run_audit(
    variants: Sequence[Variant],
    hazards: Sequence[tuple[Hazard, Variant | None]],
    config: RunConfig,
    tell: Callable[[str], None],
) -> Audit:
    """Make what is absent of every variant, and write `results/<spec>/audit.json`.

    Protocols are published below the run's results, hazards below its store: their figures
    are in the audit, and the command makes them again. Raises RunFailedError when cells of a variant failed.
    """
    caches = config.store / "audit"
    for variant in variants:
        _run(variant, config, tell)
    for _, switched in hazards:
        if switched is not None:
            _run(switched, replace(config, results=caches), tell)
    audit = audit_of(variants, hazards, config.results, caches)
    atomic.write_json(config.results / audit.name / FILE, as_json(audit))
    return audit


def _run(variant: Variant, config: RunConfig, tell: Callable[[str], None]) -> None:
    tell(f"{variant.name}:")
    folder = config.results / variant.plan.name
    with suppress(DamagedError):  # it is set aside now, and made again below
        _write_study(folder, variant, config.store)
    if not variant.plan.cells:
        tell("nothing that it changes")
        return
    outcome = run_plan(variant.plan, config)
    _write_study(folder, variant, config.store)
    if outcome.failed:
        slug, failure = next(iter(outcome.failed.items()))
        raise RunFailedError(
            f"{variant.plan.name}: {len(outcome.failed)} of {len(variant.plan.cells)} cells failed, such as "
            f"{slug}: {failure.message}",
            hint=failure.hint or "the same command keeps what is finished and tries the rest again",
        )


def _write_study(folder: Path, variant: Variant, store: Path) -> None:
    planned = [identity(cell) for cell in variant.plan.cells]
    write_study(folder, _asking(variant), planned, dataset_cards(variant.plan, Store(store)))


def _asking(variant: Variant) -> Experiment:
    """The experiment under the variant's name, its hypotheses by the variant's own ranking."""
    protocol = variant.experiment.dataset.protocol
    by = {"also_full_ranking": variant.ranking == "full"}
    dataset = variant.experiment.dataset.model_copy(update={"protocol": protocol.model_copy(update=by)})
    hypotheses = tuple(
        each.model_copy(update={"protocol": variant.ranking}) for each in variant.experiment.hypotheses
    )
    changed = {"name": variant.plan.name, "dataset": dataset, "hypotheses": hypotheses}
    return variant.experiment.model_copy(update=changed)
