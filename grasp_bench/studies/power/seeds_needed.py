"""Compute how many seeds show a difference, by each method's components of variance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grasp_bench.core.errors import DataError, IncomparableError
from grasp_bench.report.claims import POINT, Hypothesis
from grasp_bench.report.comparable_cells import ComparableCells, StoredResults, read_results
from grasp_bench.report.methods import Method, hypothesis_pairs
from grasp_bench.report.rows import require_metric
from grasp_bench.report.significance import is_measured
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.power import POWER, Outlook
from grasp_bench.stats.trainings import Trainings, components
from grasp_bench.studies.power.schema import MethodParts, Need, PairPower, ScalePower, SeedsNeeded

POINTS = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class PowerOptions:
    """Metric and protocol (None: as declared), the sizes of differences in points, and the power wanted."""

    metric: str | None = None
    protocol: str | None = None
    points: tuple[float, ...] = POINTS
    power: float = POWER


@dataclass(frozen=True)
class DeclaredPair:
    """A pair of methods of a hypothesis, and the ranking where both were measured as it says, if any."""

    methods: tuple[Method, Method]
    metric: str
    protocol: str
    home: ComparableCells | None


def seeds_needed(folder: Path, options: PowerOptions) -> SeedsNeeded:
    """Compute both tables for `results/<spec>`: hypotheses' pairs, or without any each against the best.

    Raises DataError for a folder without cells or with a damaged one, UnknownNameError for a metric and
    IncomparableError for a protocol that was not measured.
    """
    stored = read_results(folder)
    _require_measured(folder, stored, options)
    study, values = stored.study, UserValues()
    declared = list(declared_pairs(study.hypotheses, stored, options))
    scales = [(pair.metric, pair.protocol) for pair in declared if pair.home]
    if not study.hypotheses:
        scales = [(options.metric or study.metric, options.protocol or study.rank_by)]
    found = [
        _scale(partition, metric, protocol, stored, declared, values, options)
        for partition in stored.partitions
        for metric, protocol in dict.fromkeys(scales)
    ]
    return SeedsNeeded(
        name=study.name,
        power=options.power,
        points=list(options.points),
        declared=bool(study.hypotheses),
        scales=[scale for scale in found if scale["methods"]],
        untold=list(dict.fromkeys(_unmeasured(study.hypotheses, declared, stored))),
    )


def declared_pairs(
    hypotheses: Iterable[Hypothesis], stored: StoredResults, options: PowerOptions
) -> Iterator[DeclaredPair]:
    """Yield the pairs of methods of hypotheses, each once for a metric and protocol."""
    seen = set()
    for hypothesis in hypotheses:
        metric = options.metric or hypothesis["metric"]
        protocol = options.protocol or hypothesis["protocol"]
        for pair in _methods_of(hypothesis, stored):
            homes = (p for p in stored.partitions if set(pair) <= set(_ranked(p, metric, protocol)))
            if (pair, metric, protocol) not in seen:
                seen.add((pair, metric, protocol))
                yield DeclaredPair(pair, metric, protocol, next(homes, None))


def _methods_of(hypothesis: Hypothesis, stored: StoredResults) -> list[tuple[Method, Method]]:
    noise = hypothesis.get("noise") or 0.0
    return hypothesis_pairs(hypothesis["better"], hypothesis["than"], stored.labels, noise=noise)


def _unmeasured(
    hypotheses: Iterable[Hypothesis], declared: Iterable[DeclaredPair], stored: StoredResults
) -> Iterator[str]:
    """Yield hypotheses without a pair of methods, and pairs that were not measured together."""
    for hypothesis in hypotheses:
        if not _methods_of(hypothesis, stored):
            yield f"{hypothesis['better']} > {hypothesis['than']}"
    for pair in declared:
        if pair.home is None:
            yield " > ".join(stored.labels[method] for method in pair.methods)


def pair_of(pair: DeclaredPair, values: UserValues) -> tuple[Trainings, Trainings]:
    """The trainings of both sides of a pair that has a home."""
    assert pair.home is not None
    first, second = (
        values.trainings(pair.home.cells[method], pair.protocol, pair.metric) for method in pair.methods
    )
    return first, second


def need(outlook: Outlook, points: float, power: float) -> Need:
    """Compute how many trainings show a difference of so many points of percent."""
    size = points / POINT
    users = outlook.users(size, power)
    return Need(points=points, trainings=None if users else outlook.trainings(size, power), users=users)


def _scale(
    partition: ComparableCells, metric: str, protocol: str, stored: StoredResults,
    declared: Sequence[DeclaredPair], values: UserValues, options: PowerOptions,
) -> ScalePower:  # fmt: skip
    ranked = {
        method: values.trainings(partition.cells[method], protocol, metric)
        for method in _ranked(partition, metric, protocol)
    }
    order = sorted(ranked, key=lambda method: (-ranked[method].mean, stored.labels[method]))
    pairs = [
        pair.methods
        for pair in declared
        if pair.home is partition and (pair.metric, pair.protocol) == (metric, protocol)
    ]
    if not stored.study.hypotheses:
        placed = [
            method
            for method in order
            if method.kind != "control" and not any(cell.leaks for cell in partition.cells[method])
        ]
        pairs = [(other, placed[0]) for other in placed[1:]]
    return ScalePower(
        dataset=", ".join(sorted({method.dataset for method in ranked})),
        protocol_hash=partition.protocol_hash,
        metric=metric,
        protocol=protocol,
        methods=[_parts(stored.labels[m], ranked[m]) for m in order if not ranked[m].fixed],
        pairs=[_pair((stored.labels[a], stored.labels[b]), ranked[a], ranked[b], options) for a, b in pairs],
    )


def _ranked(partition: ComparableCells, metric: str, protocol: str) -> list[Method]:
    """Methods of which every cell has a value."""
    return [method for method, cells in partition.cells.items() if is_measured(cells, protocol, metric)]


def _parts(label: str, method: Trainings) -> MethodParts:
    found = components(method)
    return MethodParts(
        label=label,
        trainings=method.count,
        mean=method.mean,
        users=found.users if found else None,
        user=found.user if found else None,
        between_trainings=found.trainings if found else None,
        interval=(found.low, found.high) if found else None,
        rest=found.rest if found else None,
    )


def _pair(labels: tuple[str, str], first: Trainings, second: Trainings, options: PowerOptions) -> PairPower:
    outlook = Outlook.of(first, second)
    today = [each.count for each in (first, second) if not each.fixed]
    return PairPower(
        better=labels[0],
        than=labels[1],
        trainings=(0 if first.fixed else first.count, 0 if second.fixed else second.count),
        difference=first.mean - second.mean,
        users=outlook.users_variance**0.5 if outlook else None,
        tells=outlook.least(today, options.power) if outlook else None,
        needs=[need(outlook, points, options.power) for points in options.points] if outlook else [],
    )


def _require_measured(folder: Path, stored: StoredResults, options: PowerOptions) -> None:
    cells = stored.collected.cells
    if not cells:
        raise DataError(f"{folder}: no finished cell", hint="grasp-bench run the spec first")
    protocol, metric = options.protocol, options.metric
    if protocol and not any(cell.metrics.get(protocol) for cell in cells):
        raise IncomparableError(
            f"{folder}: no {protocol} ranking was stored", hint="compare by the protocol that the cells have"
        )
    names = {
        name: None
        for cell in cells
        for each in ((protocol,) if protocol else ("full", "sampled"))
        for name in (cell.metrics.get(each) or {}).get("overall", {})
        if name != "n"
    }
    if metric:
        require_metric(metric, list(names))
