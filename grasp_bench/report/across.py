"""Compare the same methods over several datasets: means and places, pairs won and lost, mean ranks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import cast

import numpy as np

from grasp_bench.report.across_schema import AcrossDatasets, AcrossRow, FriedmanTest, OutOfRanks, RankPair
from grasp_bench.report.cells import ResultCell
from grasp_bench.report.comparable_cells import ComparableCells, StoredResults
from grasp_bench.report.document import DECIMALS
from grasp_bench.report.methods import SOURCE, Method, label_methods
from grasp_bench.report.schema import Ranking, Row
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.correction import holm
from grasp_bench.stats.crossed import difference
from grasp_bench.stats.levels import ALPHA
from grasp_bench.stats.mean_ranks import (
    LEAST_DATASETS,
    LEAST_METHODS,
    critical_difference,
    friedman,
    groups,
    least_p,
    rank_test,
    ranks,
)
from grasp_bench.stats.pairing import Values

Cells = Sequence[ResultCell]


@dataclass(frozen=True)
class Scale:
    """What methods are ranked by."""

    metric: str
    protocol: str
    values: UserValues

    def mean(self, method_across: MethodAcross, dataset: str) -> float | None:
        """A method's mean on one dataset; None where it has none."""
        return method_across.mean(dataset, self.protocol, self.metric)


def across_datasets(
    rankings: Sequence[Ranking], stored: StoredResults, scale: Scale
) -> AcrossDatasets | None:
    """Compare methods over the rankings that differ in nothing but the dataset; None of a single dataset."""
    family = family_of(stored.partitions)
    if len(family) < 2:
        return None
    datasets = list(family)
    sides = {name: (rankings[index], stored.partitions[index]) for name, index in family.items()}
    entrants = methods_across(sides, stored)
    why_not = {
        method_across.label: _why_unranked(method_across, datasets, scale) for method_across in entrants
    }
    ranked = [method_across for method_across in entrants if why_not[method_across.label] is None]
    rows = {
        method_across.label: _row(method_across, datasets, scale)
        for method_across in entrants
        if not method_across.leaking and any(scale.mean(method_across, name) is not None for name in datasets)
    }
    left_out = [
        OutOfRanks(label=method_across.label, reason=reason)
        for method_across in entrants
        if (reason := why_not[method_across.label]) and method_across.kind != "control"
    ]
    places = _place(ranked, datasets, rows, scale)
    for name in datasets:
        _count_pairs(ranked, name, rows, scale)
    found = AcrossDatasets(
        metric=scale.metric, protocol=scale.protocol, datasets=datasets,
        rows=sorted(rows.values(), key=_order), left_out=[*left_out, *other_rankings(rankings, family)],
        no_verdict=_why_no_verdict(len(datasets), len(ranked)),
        friedman=None, critical_difference=None, groups=[], against_best=[],
    )  # fmt: skip
    if found["no_verdict"] is None:
        _test(found, places)
    return found


def decide(
    pairs: Sequence[tuple[Cells, Cells]], protocol: str, metric: str, values: UserValues
) -> list[tuple[float, float | None]]:
    """First less second and its p, for the cells of each two methods; None where one was trained once."""
    found = [difference(*(values.trainings(cells, protocol, metric) for cells in pair)) for pair in pairs]
    return [(each.difference, each.p) for each in found]


def _why_unranked(method_across: MethodAcross, datasets: Sequence[str], scale: Scale) -> str | None:
    if method_across.kind == "control":
        return "a control"
    if method_across.leaking:
        return f"its text was made from held-out items ({', '.join(method_across.leaking)})"
    missing = [name for name in datasets if scale.mean(method_across, name) is None]
    return f"no figure on {', '.join(missing)}" if missing else None


def _place(
    ranked: Sequence[MethodAcross], datasets: Sequence[str], rows: Mapping[str, AcrossRow], scale: Scale
) -> Values:
    """Write places and mean ranks into the rows of the ranked methods; the places, (D, M)."""
    means = [[cast(float, scale.mean(method_across, name)) for method_across in ranked] for name in datasets]
    places_DM = ranks(np.round(means, DECIMALS)) if ranked else np.zeros((len(datasets), 0))
    for method_across, places in zip(ranked, places_DM.T, strict=True):
        rows[method_across.label]["places"] = places.tolist()
        rows[method_across.label]["mean_rank"] = float(places.mean())
    return places_DM


def _row(method_across: MethodAcross, datasets: Sequence[str], scale: Scale) -> AcrossRow:
    rows = method_across.rows
    return AcrossRow(
        label=method_across.label,
        kind=method_across.kind,
        substituted=sorted({line for row in rows.values() for line in row["substituted"]}),
        means=[scale.mean(method_across, name) for name in datasets],
        places=[None] * len(datasets),
        mean_rank=None,
        won=0, tied=0, lost=0, undecided=0,
        part_of_seeds=[
            name for name, row in rows.items()
            if row["seeds"] and not set(row["planned_seeds"]) <= set(row["seeds"])
        ],
    )  # fmt: skip


def _count_pairs(
    ranked: Sequence[MethodAcross], dataset: str, rows: Mapping[str, AcrossRow], scale: Scale
) -> None:
    """Add what each pair of methods says on one dataset, corrected by Holm over the pairs of that dataset."""
    pairs = list(itertools.combinations(ranked, 2))
    tests = decide(
        [(first.cells[dataset], second.cells[dataset]) for first, second in pairs],
        scale.protocol, scale.metric, scale.values,
    )  # fmt: skip
    # What could not be decided stays in the family: that it was asked is what the correction is for.
    corrected = holm([1.0 if p is None else p for _, p in tests])
    for (first, second), (lead, p), p_holm in zip(pairs, tests, corrected, strict=True):
        better, worse = (first, second) if lead > 0 else (second, first)
        told_apart = p_holm < ALPHA and lead != 0
        rows[better.label]["won" if told_apart else "tied"] += 1
        rows[worse.label]["lost" if told_apart else "tied"] += 1
        for side in (first, second):
            rows[side.label]["undecided"] += p is None


def _order(row: AcrossRow) -> tuple[bool, float, bool, float, str]:
    """Ranked methods by mean rank, then those without one, then controls, by their mean over datasets."""
    means = [mean for mean in row["means"] if mean is not None]
    unranked = row["mean_rank"] is None
    return unranked, row["mean_rank"] or 0.0, row["kind"] == "control", -float(np.mean(means)), row["label"]


def _why_no_verdict(datasets: int, methods: int) -> str | None:
    if methods < LEAST_METHODS:
        return f"Friedman's test compares {LEAST_METHODS} methods or more, and {methods} can be ranked here"
    if datasets < LEAST_DATASETS:
        return f"{datasets} datasets are too few, it takes {LEAST_DATASETS} or more"
    if (least := least_p(datasets, methods)) >= ALPHA:
        return f"even the same order on all {datasets} datasets would give p {least:.2f}"
    return None


def _test(found: AcrossDatasets, places_DM: Values) -> None:
    """Friedman's test; groups and pairs only where it is significant."""
    datasets, methods = places_DM.shape
    overall = friedman(places_DM)
    found["friedman"] = cast(FriedmanTest, asdict(overall))
    if overall.p >= ALPHA:
        return
    mean_ranks = {row["label"]: row["mean_rank"] for row in found["rows"] if row["mean_rank"] is not None}
    labels = list(mean_ranks)
    critical = critical_difference(datasets, methods)
    runs = groups([mean_ranks[label] for label in labels], critical)
    found["critical_difference"] = critical
    found["groups"] = [[labels[index] for index in run] for run in runs]
    pairs = list(itertools.combinations(labels, 2))
    tests = [rank_test(mean_ranks[b], mean_ranks[a], datasets, methods) for a, b in pairs]
    # The best is picked by the same ranks: its pairs are corrected as a part of all pairs.
    corrected = holm([test.p for test in tests])
    found["against_best"] = [
        RankPair(label=other, z=test.z, p=test.p, p_holm=p)
        for (best, other), test, p in zip(pairs, tests, corrected, strict=True)
        if best == labels[0]
    ]


@dataclass(frozen=True)
class MethodAcross:
    """One method, whatever the dataset: its row and its cells on each dataset that has it."""

    label: str
    rows: dict[str, Row]
    cells: dict[str, Sequence[ResultCell]]

    @property
    def kind(self) -> str:
        """Trained, control or imported."""
        return next(iter(self.rows.values()))["kind"]

    @property
    def leaking(self) -> list[str]:
        """Datasets on which it has seen held-out items."""
        return [name for name, row in self.rows.items() if row["leaks"]]

    def mean(self, dataset: str, protocol: str, metric: str) -> float | None:
        """The board's mean on one dataset."""
        values = self.rows[dataset]["values"] if dataset in self.rows else {}
        stat = values.get(protocol, {}).get("overall", {}).get(metric)
        return None if stat is None else stat["mean"]


def family_of(partitions: Sequence[ComparableCells]) -> dict[str, int]:
    """The largest set of rankings that differ in the dataset alone: place in `partitions` by dataset.

    Of two splits of one dataset, as an ablation makes them, the one with more methods counts.
    """
    families: dict[str, dict[str, int]] = {}
    for index, partition in enumerate(partitions):
        if not partition.all_cells:
            continue
        protocols = (cell.info.get("settings", {}).get("protocol") for cell in partition.all_cells)
        compared = {
            entry
            for method in partition.cells
            for entry in method.variant
            if entry[0].startswith("dataset.") and entry[0] != SOURCE
        }
        key = json.dumps([next(filter(None, protocols), None), sorted(compared)], sort_keys=True)
        family, dataset = families.setdefault(key, {}), partition.all_cells[0].method.dataset
        if dataset not in family or len(partition.planned) > len(partitions[family[dataset]].planned):
            family[dataset] = index
    return max(families.values(), key=len, default={})


def other_rankings(rankings: Sequence[Ranking], family: Mapping[str, int]) -> list[OutOfRanks]:
    """Rankings of another protocol or split, and those that nothing has run of yet."""
    return [
        OutOfRanks(
            label=f"the ranking of {ranking['dataset']} ({ranking['protocol_hash']})",
            reason="another protocol or split" if ranking["protocols"] else "not run yet",
        )
        for index, ranking in enumerate(rankings)
        if index not in family.values()
    ]


def methods_across(
    sides: Mapping[str, tuple[Ranking, ComparableCells]], stored: StoredResults
) -> list[MethodAcross]:
    """Methods without noise, put together over datasets and named without them."""
    found: dict[Method, MethodAcross] = {}
    for name, (ranking, partition) in sides.items():
        rows = {row["label"]: row for row in ranking["rows"]}
        for method in partition.planned:
            if method.rate == 0:
                variant = tuple(entry for entry in method.variant if entry[0] != SOURCE)
                anywhere = replace(method, dataset="", variant=variant)
                method_across = found.setdefault(anywhere, MethodAcross("", {}, {}))
                method_across.rows[name] = rows[stored.labels[method]]
                method_across.cells[name] = partition.cells.get(method, [])
    labels = label_methods(list(found))
    return [replace(method_across, label=labels[method]) for method, method_across in found.items()]
