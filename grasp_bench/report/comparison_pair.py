"""Compare one pair of methods or cells: what differs, by how much, and for whom."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from grasp_bench.core.errors import DataError, GraspBenchError, IncomparableError, UnknownNameError
from grasp_bench.core.words import did_you_mean
from grasp_bench.report.cells import ResultCell
from grasp_bench.report.comparable_cells import StoredResults, difference_of_protocol, read_results
from grasp_bench.report.formatting import flattened
from grasp_bench.report.group_membership import Bools, read_membership
from grasp_bench.report.methods import Method, NamePattern
from grasp_bench.report.rows import make_row, require_metric
from grasp_bench.report.schema import PROTOCOLS, PairTest, Row
from grasp_bench.report.user_values import TOLERANCE, UserValues
from grasp_bench.stats.comparison import compare
from grasp_bench.stats.crossed import Contrast, difference
from grasp_bench.stats.trainings import Trainings


class MetricDifference(TypedDict):
    """Overall means of one metric; `p` of users and trainings crossed, None where it decides nothing."""

    metric: str
    first: float
    second: float
    difference: float
    p: float | None


class GroupDifference(TypedDict):
    """Means of the chosen metric within one group, and the crossed test over its users.

    `p` is None where it decides nothing, and the interval too where nobody has written down who is in it.
    """

    group: str
    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    p: float | None


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
    stored = read_results(folder)
    left, right = find_sides(first, second, stored)
    rows = left.row(), right.row()
    shared = [p for p in PROTOCOLS if all(p in row["values"] for row in rows)]
    if not shared:
        raise IncomparableError(f"{first} and {second} have no ranking in common (sampled, full)")
    chosen = metric or stored.study.metric
    overall = [row["values"][p]["overall"] for row in rows for p in shared]
    require_metric(chosen, [name for name in overall[0] if all(name in values for values in overall)])
    values, members = UserValues(), read_membership(folder, left.cells[0].protocol_hash)
    groups = {} if members is None else members[1]
    return Pair(
        first=left.name,
        second=right.name,
        metric=chosen,
        protocol_hash=left.cells[0].protocol_hash,
        first_seeds=left.seeds,
        second_seeds=right.seeds,
        settings=list(_differing_settings(left, right)),
        protocols={p: _under(p, chosen, left, right, rows, values, groups) for p in shared},
    )


def _under(
    protocol: str, metric: str, left: PairSide, right: PairSide, rows: tuple[Row, Row], values: UserValues,
    members: Mapping[str, Bools],
) -> ProtocolPair:  # fmt: skip
    ours, theirs = (row["values"][protocol]["overall"] for row in rows)
    sides = {
        name: (values.trainings(left.cells, protocol, name), values.trainings(right.cells, protocol, name))
        for name in ours
        if name in theirs
    }
    return ProtocolPair(
        test=compare(*sides[metric]),
        metrics=[
            MetricDifference(metric=name, first=a.mean, second=b.mean, difference=found.difference, p=found.p)
            for name, (a, b) in sides.items()
            for found in (difference(a, b),)
        ],
        groups=list(
            _group_differences(protocol, metric, rows, sides[metric], members, left.cells[0].folder.parent)
        ),
        seeds=list(_seed_means(protocol, metric, rows)),
    )


def _group_differences(
    protocol: str, metric: str, rows: tuple[Row, Row], sides: tuple[Trainings, Trainings],
    members: Mapping[str, Bools], folder: Path,
) -> Iterator[GroupDifference]:  # fmt: skip
    ours, theirs = (row["values"][protocol] for row in rows)
    for group in ours:
        if group != "overall" and metric in ours[group] and metric in theirs.get(group, {}):
            first, second = ours[group][metric]["mean"], theirs[group][metric]["mean"]
            low = high = p = None
            if group in members:
                found = _within(folder, group, members[group], sides, first - second)
                (low, high), p = found.interval(), found.p
            yield GroupDifference(
                group=group, first=first, second=second, difference=first - second, low=low, high=high, p=p
            )


def _within(
    folder: Path, group: str, members: Bools, sides: tuple[Trainings, Trainings], said: float
) -> Contrast:
    """The difference over the users of a group, which must be the one that metrics.json says."""
    if len(members) == sides[0].users.size:
        found = difference(*(side.among(members) for side in sides))
        if abs(found.difference - said) <= TOLERANCE:
            return found
    raise DataError(
        f"{folder}: the users of {group} do not give the difference that metrics.json says",
        hint="run the spec again: it writes the groups beside the cells",
    )


def _seed_means(protocol: str, metric: str, rows: tuple[Row, Row]) -> Iterator[SeedMeans]:
    ours, theirs = (row["per_seed"][protocol] for row in rows)
    for seed in sorted({*ours, *theirs}, key=int):
        first, second = (each.get(seed, {}).get(metric) for each in (ours, theirs))
        yield SeedMeans(seed=int(seed), first=first, second=second)


def _differing_settings(left: PairSide, right: PairSide) -> Iterator[tuple[str, Any, Any]]:
    """Dotted settings of the first cells that are not the same."""
    ours, theirs = (dict(flattened(side.cells[0].info.get("settings") or {})) for side in (left, right))
    for key in dict.fromkeys([*ours, *theirs]):
        if ours.get(key) != theirs.get(key):
            yield key, ours.get(key), theirs.get(key)


@dataclass(frozen=True)
class PairSide:
    """One side of the pair: its name and its cells, all of one protocol hash."""

    name: str
    method: Method
    cells: tuple[ResultCell, ...]

    @property
    def seeds(self) -> list[int]:
        """Seeds in the order of the cells."""
        return [cell.seed for cell in self.cells if cell.seed is not None]

    def row(self) -> Row:
        """Means over exactly these cells."""
        return make_row(self.name, self.method, self.cells, self.seeds)


def find_sides(first: str, second: str, stored: StoredResults) -> tuple[PairSide, PairSide]:
    """Resolve two names to cells of one protocol.

    Raises UnknownNameError (with a suggestion) for names that are not there, IncomparableError for
    cells that may not share a ranking.
    """
    return _one_protocol(_sides(first, stored), _sides(second, stored))


def _sides(name: str, stored: StoredResults) -> list[PairSide]:
    """Everything that a name may mean: a slug, a label, or a short name of a single method."""
    for cell in stored.collected.cells:
        if cell.slug == name:
            return [PairSide(name, cell.method, (cell,))]
    named = [method for method, label in stored.labels.items() if label == name]
    fitting = named or [method for method in stored.labels if NamePattern.parse(name).fits(method)]
    if not fitting:
        raise _unknown(name, stored)
    if len(fitting) > 1:
        labels = ", ".join(stored.labels[method] for method in fitting)
        raise UnknownNameError(f"'{name}' fits several methods", hint=f"choose one of: {labels}")
    label, method = stored.labels[fitting[0]], fitting[0]
    sides = [
        PairSide(label, method, tuple(p.cells[method])) for p in stored.partitions if p.cells.get(method)
    ]
    if not sides:
        raise IncomparableError(f"{label} has no finished cell", hint="grasp-bench run the spec first")
    return sides


def _unknown(name: str, stored: StoredResults) -> GraspBenchError:
    for slug, reason in stored.collected.left_out:
        if slug == name:
            return IncomparableError(f"{name} is left out: {reason}", hint="grasp-bench run the spec again")
    labels = sorted(stored.labels.values())
    names = [*labels, *(cell.slug for cell in stored.collected.cells)]
    return UnknownNameError(
        f"no method or cell '{name}'{did_you_mean(name, names)}", hint=f"methods here: {', '.join(labels)}"
    )


def _one_protocol(firsts: Sequence[PairSide], seconds: Sequence[PairSide]) -> tuple[PairSide, PairSide]:
    """The two sides under one protocol hash; refused with the reason when there are none."""
    for left, right in itertools.product(firsts, seconds):
        if left.cells == right.cells:
            raise IncomparableError(
                f"'{left.name}' and '{right.name}' are the same", hint="name two different methods"
            )
        if left.cells[0].protocol_hash == right.cells[0].protocol_hash:
            return left, right
    left, right = firsts[0], seconds[0]
    reason = difference_of_protocol(left.cells, right.cells)
    raise IncomparableError(
        f"{left.name} cannot be compared with {right.name}: {left.name} has {reason}",
        hint="compare cells of one dataset and one protocol",
    )
