"""Run the variants of a protocol audit and compare conclusions, also under each hazard alone.

Every variant is an ordinary plan, made and published like any other. Its figures come from published ranks,
its tests are those of boards: users and trainings crossed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.core.errors import DamagedError, RunFailedError
from grasp_bench.core.store import Store
from grasp_bench.engine.publish import identity
from grasp_bench.engine.run import RunConfig, run_plan
from grasp_bench.report.board import load_board
from grasp_bench.report.cells import ResultCell
from grasp_bench.report.comparable_cells import StoredResults, read_results
from grasp_bench.report.methods import Method
from grasp_bench.report.renderers.json_text import as_json
from grasp_bench.report.schema import Claim
from grasp_bench.report.study import write_study
from grasp_bench.report.user_values import UserValues
from grasp_bench.spec.experiment import Experiment
from grasp_bench.stats.crossed import contrast, difference
from grasp_bench.stats.trainings import Trainings
from grasp_bench.studies.audit.variants import BASE, FULL, Hazard, Variant
from grasp_bench.studies.running import dataset_cards

VERDICTS = {
    "supported": "holds",
    "refuted": "reversed",
    "better": "holds",
    "worse": "reversed",
    "equivalent": "equivalent",
    "undecided": "not distinguishable",
    "one_training": "trained once",
    "untested": "not measured",
}
# Their place says nothing of a method: by optimistic ties a constant is the best of all.
UNINFORMED = ("random", "constant")


@dataclass(frozen=True)
class Outcome:
    """The verdict on a hypothesis under one protocol; without figures where it could not be tested."""

    verdict: str
    difference: float | None
    low: float | None
    high: float | None
    p_holm: float | None
    why: str


@dataclass(frozen=True)
class Conclusion:
    """One declared hypothesis and its outcome under each protocol."""

    better: str
    than: str
    metric: str
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True)
class Effect:
    """A method's figure without and with one hazard; the difference has an interval for all users alone."""

    method: str
    without: float
    with_it: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class HazardEffects:
    """What one hazard alone does to the methods whose figure it changes, and to their order (tau)."""

    hazard: Hazard
    effects: tuple[Effect, ...]
    tau: float | None


@dataclass(frozen=True)
class Audit:
    """The whole audit. `figures` and `rankings` are by protocol; `taus` by pairs of protocols."""

    name: str
    description: str
    dataset: str
    metric: str
    rankings: Mapping[str, str]
    fixed: Mapping[str, tuple[str, ...]]
    conclusions: tuple[Conclusion, ...]
    figures: Mapping[str, Mapping[str, float]]
    taus: Mapping[str, float | None]
    hazards: tuple[HazardEffects, ...]
    missing: tuple[str, ...]


def audit_of(
    variants: Sequence[Variant], hazards: Sequence[tuple[Hazard, Variant | None]], results: Path, caches: Path
) -> Audit:
    """Build the audit from published variants: protocols below `results`, hazards below `caches`."""
    boards = {variant.name: load_board(results / variant.plan.name) for variant in variants}
    stored_of = {variant.name: read_results(results / variant.plan.name) for variant in variants}
    metric = boards[variants[0].name]["metric"]
    sides = {variant.name: _Side(_complete(stored_of[variant.name]), variant.ranking) for variant in variants}
    figures = {name: side.figures("overall", metric) for name, side in sides.items()}
    named = {
        name: {stored_of[name].labels[method]: value for method, value in found.items()}
        for name, found in figures.items()
    }
    base, strict = next((variant, stored_of[variant.name]) for variant in variants if variant.name == BASE)
    return Audit(
        name=base.experiment.name,
        description=base.experiment.description,
        dataset=next(iter(boards[base.name]["rankings"]))["dataset"],
        metric=metric,
        rankings={variant.name: variant.ranking for variant in variants},
        fixed={variant.name: variant.fixed for variant in variants},
        conclusions=_conclusions({name: board["claims"] for name, board in boards.items()}),
        figures=named,
        taus={f"{a} / {b}": kendall(named[a], named[b]) for a, b in combinations(named, 2)},
        hazards=tuple(
            _effects(hazard, strict, read_results(caches / variant.plan.name) if variant else None, metric)
            for hazard, variant in hazards
        ),
        missing=tuple(
            f"{name}: {entry['slug']} ({entry['reason']})"
            for name, board in boards.items()
            for entry in board["missing"]
        ),
    )


def kendall(first: Mapping[str, float], second: Mapping[str, float]) -> float | None:
    """Kendall's tau-b of the order of the methods in both; None for fewer than two.

    Random and constant scores are left out.
    """
    from scipy.stats import kendalltau

    common = [name for name in first if name in second and name.partition(" (")[0] not in UNINFORMED]
    if len(common) < 2:
        return None
    return float(kendalltau([first[name] for name in common], [second[name] for name in common]).statistic)


def _conclusions(claims: Mapping[str, Sequence[Claim]]) -> tuple[Conclusion, ...]:
    found: dict[tuple[str, str, str], dict[str, Outcome]] = {}
    for protocol, told in claims.items():
        for claim in told:
            key = (claim["better"], claim["than"], claim["metric"])
            found.setdefault(key, {})[protocol] = _outcome(claim)
    return tuple(Conclusion(*key, outcomes) for key, outcomes in found.items())


def _outcome(claim: Claim) -> Outcome:
    test, verdict = claim["test"], VERDICTS[claim["verdict"]]
    if test is None:
        return Outcome(verdict, None, None, None, None, claim["words"])
    return Outcome(verdict, test["difference"], test["low"], test["high"], claim["p_holm"], claim["words"])


def _complete(stored: StoredResults) -> dict[Method, Sequence[ResultCell]]:
    """Methods that have every planned seed."""
    return {
        method: cells
        for part in stored.partitions
        for method, cells in part.cells.items()
        if not part.unfinished(method)
    }


def _effects(
    hazard: Hazard, strict: StoredResults, switched: StoredResults | None, metric: str
) -> HazardEffects:
    """`switched` is None for the hazard that is only another reading of the strict ranks."""
    before = "full" if hazard.key == FULL else hazard.ranking
    other = switched or strict
    sides = (_Side.of(strict, before), _Side.of(other, hazard.ranking))
    bare, habit = reversed(sides) if hazard.in_strict else sides
    without, with_it = (side.figures(hazard.group, metric) for side in (bare, habit))
    labels = {_anywhere(method): label for method, label in strict.labels.items()}
    values, effects = UserValues(), []
    for method in [method for method in without if method in with_it]:
        low = high = None
        if hazard.group == "overall":
            after, unhazarded = (side.trainings(method, values, metric) for side in (habit, bare))
            found = (
                difference(after, unhazarded)
                if hazard.other_course
                else contrast([(1.0, after.less(unhazarded))])  # seed by seed: the same training of each
            )
            low, high = found.interval()
        effects.append(Effect(labels[method], without[method], with_it[method], low, high))
    # What the hazard leaves alone keeps its figure, and its place in the order.
    whole = {**with_it, **without} if hazard.in_strict else without
    orders = ({labels[m]: v for m, v in each.items()} for each in (whole, {**without, **with_it}))
    return HazardEffects(hazard, tuple(effects), kendall(*orders))


@dataclass(frozen=True)
class _Side:
    """Methods of a variant that have every seed, under one ranking."""

    cells: Mapping[Method, Sequence[ResultCell]]
    ranking: str

    @classmethod
    def of(cls, stored: StoredResults, ranking: str) -> _Side:
        return cls({_anywhere(method): cells for method, cells in _complete(stored).items()}, ranking)

    def figures(self, group: str, metric: str) -> dict[Method, float]:
        """Means over cells of what their metrics.json says, of methods whose every cell says it."""
        found = {}
        for method, cells in self.cells.items():
            values = [cell.metrics.get(self.ranking, {}).get(group, {}).get(metric) for cell in cells]
            if values and None not in values:
                found[method] = float(sum(values)) / len(values)
        return found

    def trainings(self, method: Method, values: UserValues, metric: str) -> Trainings:
        return values.trainings(self.cells[method], self.ranking, metric)


def _anywhere(method: Method) -> Method:
    """The method without its dataset, whose name differs where it is shuffled."""
    return replace(method, dataset="")


FILE = "audit.json"


def run_audit(
    variants: Sequence[Variant],
    hazards: Sequence[tuple[Hazard, Variant | None]],
    config: RunConfig,
    note: Callable[[str], None],
) -> Audit:
    """Make what is absent of every variant, and write `results/<spec>/audit.json`.

    Protocols are published below the run's results, hazards below its store: their figures
    are in the audit, and the command makes them again. Raises RunFailedError when cells of a variant failed.
    """
    caches = config.store / "audit"
    for variant in variants:
        _run(variant, config, note)
    for _, switched in hazards:
        if switched is not None:
            _run(switched, replace(config, results=caches), note)
    audit = audit_of(variants, hazards, config.results, caches)
    atomic.write_json(config.results / audit.name / FILE, as_json(audit))
    return audit


def _run(variant: Variant, config: RunConfig, note: Callable[[str], None]) -> None:
    note(f"{variant.name}:")
    folder = config.results / variant.plan.name
    with suppress(DamagedError):  # it is set aside now, and made again below
        _write_study(folder, variant, config.store)
    if not variant.plan.cells:
        note("nothing that it changes")
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
