"""Run a spec: its cells, and where it says so further seeds until its hypotheses are decided."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from grasp_bench.core.errors import DamagedError, StoreError
from grasp_bench.core.store import Store
from grasp_bench.engine.publish import identity
from grasp_bench.engine.run import Outcome, RunConfig, run_plan
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.selection import with_seeds
from grasp_bench.report.study import looks_of, write_study
from grasp_bench.spec.loading import LoadedSpec
from grasp_bench.studies.study_files import dataset_cards, write_user_groups


@dataclass(frozen=True)
class StudyRun:
    """`planned` is all that the study asks for in the end, `chosen` the part of it that was to be run."""

    planned: Plan
    chosen: Plan
    outcome: Outcome


def run_study(
    loaded: LoadedSpec, whole: Plan, only: str, config: RunConfig, tell: Callable[[str], None]
) -> StudyRun:
    """Make the cells whose slug matches `only`; judge, and add seeds to methods of undecided hypotheses.

    Which seeds a method has follows from what was measured, look by look: a run that goes on, or is made
    again, judges the same cells and comes to the same end. A failed cell ends it at the look where it is.
    """
    looks = looks_of(loaded.experiment)
    if not looks:
        return _run(loaded, whole, only, config)
    # Loads arrays, which a finished run of a list of seeds does without.
    from grasp_bench.studies.looks import SeedCounts, judged, look_summary, verdicts

    counts = SeedCounts.at_first(whole, looks)
    while True:
        planned = with_seeds(whole, loaded.experiment, counts.of)
        ran = _run(loaded, planned, only, config)
        if ran.outcome.failed:
            return ran
        judgement = judged(config.results / whole.name)
        further = counts.further(judgement)
        if further == counts:
            for line in verdicts(judgement):
                tell(line)
            return ran
        tell(look_summary(judgement, counts, further))
        counts = further


def _run(loaded: LoadedSpec, planned: Plan, only: str, config: RunConfig) -> StudyRun:
    chosen = planned.only(only)
    # Before the first cell, so that boards of a stopped run know what was asked; again for the cards.
    with suppress(DamagedError):  # it is set aside now, and made again in the next line
        _write_study(loaded, planned, config)
    outcome = run_plan(chosen, config)
    _write_study(loaded, planned, config)
    return StudyRun(planned, chosen, outcome)


def _write_study(loaded: LoadedSpec, planned: Plan, config: RunConfig) -> None:
    """Write beside the cells what the spec asks, the dataset cards, and who is in which group."""
    store, folder = Store(config.store), config.results / planned.name
    cards = dataset_cards(planned, store)
    try:
        files = write_user_groups(planned, store, folder)
        cells = [identity(cell) for cell in planned.cells]
        write_study(folder, loaded.experiment, cells, cards, loaded.published, files)
    except OSError as error:
        raise StoreError(
            f"{config.results}: cannot be written ({error.strerror or error})", hint="pass --results"
        ) from None
