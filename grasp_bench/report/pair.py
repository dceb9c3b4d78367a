"""One pair of methods or cells, explained: what differs, by how much, and for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from grasp_bench.core.errors import IncomparableError, UnknownNameError
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.report.partitions import read_material
from grasp_bench.report.schema import PROTOCOLS, PairTest, Row
from grasp_bench.report.sides import Side, find_sides
from grasp_bench.report.significance import pair_test
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.crossed import difference


class MetricDifference(TypedDict):
    """Overall means of one metric; `p` of users and trainings crossed, None where it decides nothing."""

    metric: str
    first: float
    second: float
    difference: float
    p: float | None


class GroupDifference(TypedDict):
    """Means of the chosen metric within one group."""

    group: str
    first: float
    second: float
    difference: float


class SeedMeans(TypedDict):
    """Overall means of the chosen metric for one seed; None where a side does not have it."""

    seed: int
    first: float | None
    second: float | None


class ProtocolPair(TypedDict):
    """All that is said under one protocol."""

    test: PairTest
    metrics: list[MetricDifference]
    groups: list[GroupDifference]
    seeds: list[SeedMeans]


class Pair(TypedDict):
    """The explanation of one pair; values as fractions."""

    first: str
    second: str
    metric: str
    protocol_hash: str
    first_seeds: list[int]
    second_seeds: list[int]
    settings: list[tuple[str, Any, Any]]
    protocols: dict[str, ProtocolPair]


def compare_pair(folder: Path, first: str, second: str, metric: str | None = None) -> Pair:
    """Explain `first` less `second`, each a method's label or a cell's slug in `results/<spec>`.

    Every method has the seeds that it has: trainings are not paired. Raises UnknownNameError (with a
    suggestion) for names that are not there, IncomparableError for cells that may not share a ranking.
    """
    material = read_material(folder)
    left, right = find_sides(first, second, material)
    rows = left.row(), right.row()
    shared = [p for p in PROTOCOLS if all(p in row["values"] for row in rows)]
    if not shared:
        raise IncomparableError(f"{first} and {second} have no ranking in common (sampled, full)")
    chosen = metric or material.study.metric
    _require_measured(chosen, rows, shared)
    values = UserValues()
    return Pair(
        first=left.name,
        second=right.name,
        metric=chosen,
        protocol_hash=left.cells[0].protocol_hash,
        first_seeds=left.seeds,
        second_seeds=right.seeds,
        settings=list(_differing_settings(left, right)),
        protocols={p: _under(p, chosen, left, right, rows, values) for p in shared},
    )


def _require_measured(metric: str, rows: Sequence[Row], protocols: Sequence[str]) -> None:
    measured = list(rows[0]["values"][protocols[0]]["overall"])
    if any(metric not in row["values"][p]["overall"] for row in rows for p in protocols):
        raise UnknownNameError(
            f"metric '{metric}' was not measured{did_you_mean(metric, measured)}",
            mend=f"choose one of: {', '.join(measured)}",
        )


def _under(
    protocol: str, metric: str, left: Side, right: Side, rows: tuple[Row, Row], values: UserValues
) -> ProtocolPair:
    first, second = (values.trainings(side.cells, protocol, metric) for side in (left, right))
    return ProtocolPair(
        test=pair_test(first, second),
        metrics=list(_metric_differences(protocol, left, right, rows, values)),
        groups=list(_group_differences(protocol, metric, rows)),
        seeds=list(_seed_means(protocol, metric, rows)),
    )


def _metric_differences(
    protocol: str, left: Side, right: Side, rows: tuple[Row, Row], values: UserValues
) -> Iterator[MetricDifference]:
    ours, theirs = (row["values"][protocol]["overall"] for row in rows)
    for metric in ours:
        if metric in theirs:
            first, second = (values.trainings(side.cells, protocol, metric) for side in (left, right))
            found = difference(first, second)
            yield MetricDifference(
                metric=metric, first=first.mean, second=second.mean, difference=found.difference, p=found.p
            )


def _group_differences(protocol: str, metric: str, rows: tuple[Row, Row]) -> Iterator[GroupDifference]:
    ours, theirs = (row["values"][protocol] for row in rows)
    for group in ours:
        if group != "overall" and metric in ours[group] and metric in theirs.get(group, {}):
            first, second = ours[group][metric]["mean"], theirs[group][metric]["mean"]
            yield GroupDifference(group=group, first=first, second=second, difference=first - second)


def _seed_means(protocol: str, metric: str, rows: tuple[Row, Row]) -> Iterator[SeedMeans]:
    ours, theirs = (row["per_seed"][protocol] for row in rows)
    for seed in sorted({*ours, *theirs}, key=int):
        first, second = (each.get(seed, {}).get(metric) for each in (ours, theirs))
        yield SeedMeans(seed=int(seed), first=first, second=second)


def _differing_settings(left: Side, right: Side) -> Iterator[tuple[str, Any, Any]]:
    """Dotted settings of the first cells that are not the same."""
    ours, theirs = (dict(_flatten(side.cells[0].info.get("settings") or {})) for side in (left, right))
    for key in dict.fromkeys([*ours, *theirs]):
        if ours.get(key) != theirs.get(key):
            yield key, ours.get(key), theirs.get(key)


def _flatten(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, entry in value.items():
        if isinstance(entry, Mapping) and entry:
            yield from _flatten(entry, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", entry
