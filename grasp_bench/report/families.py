"""Which rankings differ in the dataset alone, and which of their rows are one method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from grasp_bench.report.across_schema import OutOfRanks
from grasp_bench.report.cells import ResultCell
from grasp_bench.report.methods import SOURCE, Method, label_methods
from grasp_bench.report.partitions import Material, Partition
from grasp_bench.report.schema import Ranking, Row


@dataclass(frozen=True)
class Entrant:
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


def family_of(partitions: Sequence[Partition]) -> dict[str, int]:
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


def entrants_of(sides: Mapping[str, tuple[Ranking, Partition]], material: Material) -> list[Entrant]:
    """Methods without noise, put together over datasets and named without them."""
    found: dict[Method, Entrant] = {}
    for name, (ranking, partition) in sides.items():
        rows = {row["label"]: row for row in ranking["rows"]}
        for method in partition.planned:
            if method.rate == 0:
                entrant = found.setdefault(_anywhere(method), Entrant("", {}, {}))
                entrant.rows[name] = rows[material.labels[method]]
                entrant.cells[name] = partition.cells.get(method, [])
    labels = label_methods(list(found))
    return [replace(entrant, label=labels[method]) for method, entrant in found.items()]


def _anywhere(method: Method) -> Method:
    """The method without what says on which dataset."""
    variant = tuple(entry for entry in method.variant if entry[0] != SOURCE)
    return replace(method, dataset="", variant=variant)
