"""Group the cells that may share a ranking, those of one protocol hash, into methods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grasp_bench.report.cells import Collected, ResultCell, collect
from grasp_bench.report.methods import Method, label_methods, method_of
from grasp_bench.report.study import Study, read_study


@dataclass(frozen=True)
class ComparableCells:
    """Cells of one protocol hash by method, and the seeds that each should have: none where nobody trains."""

    protocol_hash: str
    cells: dict[Method, list[ResultCell]]
    planned: dict[Method, list[int]]

    @property
    def all_cells(self) -> list[ResultCell]:
        """Cells of all methods."""
        return [cell for group in self.cells.values() for cell in group]

    def unfinished(self, method: Method) -> list[int]:
        """Planned seeds of a method that are not there."""
        found = {cell.seed for cell in self.cells.get(method, ())}
        return [seed for seed in self.planned.get(method, ()) if seed not in found]


@dataclass(frozen=True)
class StoredResults:
    """What is read from a results folder before anything is computed."""

    study: Study
    collected: Collected
    partitions: tuple[ComparableCells, ...]
    labels: Mapping[Method, str]


def read_results(folder: Path) -> StoredResults:
    """Read study and cells of a folder and sort them into partitions and methods."""
    study = read_study(folder)
    collected = collect(folder, study)
    partitions = tuple(_partition(collected.cells, study))
    methods = {method for partition in partitions for method in partition.planned}
    return StoredResults(study, collected, partitions, label_methods(sorted(methods, key=repr)))


def why_apart(partition: ComparableCells, partitions: Sequence[ComparableCells]) -> str | None:
    """Say what keeps a ranking from being merged with the others; None when it is the only one."""
    others = [other for other in partitions if other is not partition]
    if not others:
        return None
    reasons = {difference_of_protocol(partition.all_cells, other.all_cells) for other in others}
    return "; ".join(sorted(reasons))


def difference_of_protocol(cells: Sequence[ResultCell], others: Sequence[ResultCell]) -> str:
    """Name what differs between the protocols of two sets of cells."""
    if not cells or not others:
        return "not run yet"
    ours, theirs = cells[0], others[0]
    if ours.method.dataset != theirs.method.dataset:
        return f"another dataset than {theirs.method.dataset}"
    mine, his = (dict(cell.info.get("settings", {}).get("protocol", {})) for cell in (ours, theirs))
    keys = sorted(key for key in {*mine, *his} if mine.get(key) != his.get(key))
    if keys:
        return "another protocol: " + ", ".join(
            f"{key} {mine.get(key)} here, {his.get(key)} there" for key in keys
        )
    hashes = f"protocol hash {ours.protocol_hash} and {theirs.protocol_hash}"
    return f"same protocol settings, but another split or other candidates ({hashes})"


def _partition(cells: Sequence[ResultCell], study: Study) -> list[ComparableCells]:
    """One partition a protocol hash; planned methods without a cell join the one where their dataset is."""
    by_hash: dict[str, dict[Method, list[ResultCell]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        by_hash[cell.protocol_hash][cell.method].append(cell)
    planned: dict[str, dict[Method, list[int]]] = {key: {} for key in by_hash}
    for entry in study.planned or ():
        method = method_of(entry)
        home = entry.get("protocol_hash") or _home(method, by_hash)
        if home is not None:
            seeds_of_method = planned.setdefault(home, {}).setdefault(method, [])
            seeds_of_method += [] if entry["seed"] is None else [int(entry["seed"])]
    partitions = []
    for key, seeds in planned.items():
        groups = {
            method: sorted(found, key=lambda cell: cell.seed or 0)
            for method, found in by_hash.get(key, {}).items()
        }
        union = sorted(_seeds(cell for found in groups.values() for cell in found))
        # Without a study nobody said how many seeds there should be: the others' seeds are the measure.
        wanted = {
            method: sorted(seeds.get(method, union if _seeds(groups.get(method, ())) else []))
            for method in {**seeds, **groups}
        }
        partitions.append(ComparableCells(key, groups, wanted))
    return sorted(
        partitions, key=lambda p: (min((m.dataset for m in p.planned), default=""), p.protocol_hash)
    )


def _seeds(cells: Iterable[ResultCell]) -> set[int]:
    return {cell.seed for cell in cells if cell.seed is not None}


def _home(method: Method, by_hash: Mapping[str, Mapping[Method, object]]) -> str | None:
    """Where a planned cell without a protocol hash belongs: beside its other seeds, or its dataset."""
    for key, methods in by_hash.items():
        if method in methods:
            return key
    for key, methods in by_hash.items():
        if any(other.dataset == method.dataset for other in methods):
            return key
    return next(iter(by_hash), None)
