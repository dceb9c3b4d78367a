"""Compare neighbours and metrics across the texts of one spec, and print the comparison.

Texts are varied by ordinary `compare:` and `ablations:` of `text.*`. Two texts of a side are compared by the
neighbours that they lead to, and by the metrics of the cells made with each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import fmean

import numpy as np

from grasp_bench.core.errors import DataError, StoreError, UnknownNameError
from grasp_bench.core.store import Store
from grasp_bench.plan.cells import Cell, marked_leaks
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.nodes import Node
from grasp_bench.report.cells import ResultCell, read_current
from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.formatting import percent, with_interval
from grasp_bench.retrieval.agreement import PERSISTENCE, common_at_depths, jaccard, rank_biased_overlap
from grasp_bench.stats.bootstrap import mean_interval
from grasp_bench.studies.artifact_loading import ROLES, read_table
from grasp_bench.text.providers import Side

METRIC = "NDCG@10"
PROTOCOLS = ("full", "sampled")
RESAMPLES = 999  # an overlap is read to two digits


@dataclass(frozen=True)
class Mean:
    """A mean over entities with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PairOverlap:
    """Two texts' neighbours compared, entity by entity."""

    first: str
    second: str
    jaccard: Mean
    rank_biased: Mean


@dataclass(frozen=True)
class SideOverlap:
    """All pairs of one side's texts, compared to `depth` neighbours of the `entities` that have so many by
    every text."""

    side: str
    texts: Mapping[str, str]  # name: what the spec says of it
    depth: int
    entities: int
    pairs: tuple[PairOverlap, ...]
    missing: tuple[str, ...]  # texts whose neighbours are not made yet


@dataclass(frozen=True)
class MethodFigures:
    """A method's texts and its metric by protocol, the mean over the seeds that are done; else None."""

    method: str
    texts: Mapping[str, str]
    seeds: int
    done: int
    leaks: bool
    metric: Mapping[str, float | None]


@dataclass(frozen=True)
class PromptSensitivity:
    """Overlaps of each side that has several texts, and the methods' figures."""

    name: str
    persistence: float
    metric: str
    sides: tuple[SideOverlap, ...]
    methods: tuple[MethodFigures, ...]


def compare_prompts(
    plan: Plan, store: Store, results: Path, persistence: float = PERSISTENCE
) -> PromptSensitivity:
    """Compare the texts of a spec; `results` is the folder that holds its results, if it is there.

    Raises UnknownNameError when no side has two different neighbour tables, StoreError when fewer than
    two of them are made, DataError when they are of several datasets or nobody has enough neighbours.
    """
    plan = replace(plan, cells=tuple(cell for cell in plan.cells if cell.kind == "trained"))
    if len({cell.nodes["split"].hash for cell in plan.cells}) > 1:
        raise DataError(
            f"{plan.name}: its cells have several datasets, whose neighbours cannot be compared",
            hint="compare the texts of one dataset: leave dataset.* out of compare: and ablations:",
        )
    names = {side: _names(plan, side) for side in ROLES}
    several = {side: nodes for side, nodes in names.items() if len(nodes) > 1}
    if not several:
        raise UnknownNameError(
            f"{plan.name}: all cells have the same text",
            hint="vary text.items.template or text.users in compare: or ablations:",
        )
    sides = tuple(_side(side, nodes, plan, store, persistence) for side, nodes in several.items())
    if not any(side.pairs for side in sides):
        raise StoreError(
            f"{store.root}: fewer than two neighbour tables of {plan.name} are there yet",
            hint="run the spec first (grasp-bench run), or name the store it ran with (--store)",
        )
    return PromptSensitivity(
        plan.name, persistence, METRIC, sides, tuple(_methods(plan, names, results / plan.name))
    )


def _names(plan: Plan, side: Side) -> dict[str, Node]:
    """Distinct neighbour tables of a side by readable name: the variation that brought each first."""
    named: dict[str, Node] = {}
    seen: set[str] = set()
    for cell in plan.cells:
        node = cell.nodes.get(f"{ROLES[side]}_neighbours")
        if node is None or node.hash in seen:
            continue
        seen.add(node.hash)
        name = cell.ablation or "-".join(str(value) for value in cell.variant.values()) or "base"
        named[name if name not in named else f"{name} ({cell.slug})"] = node
    return named


def _side(side: Side, nodes: Mapping[str, Node], plan: Plan, store: Store, persistence: float) -> SideOverlap:
    made = {
        name: read_table(store.get("neighbours", node.hash)).indices
        for name, node in nodes.items()
        if store.has("neighbours", node.hash)
    }
    tables = _of_one_length(made, side)
    pairs = []
    for first, second in combinations(tables, 2):
        common = common_at_depths(tables[first], tables[second])
        pairs.append(
            PairOverlap(
                first, second, _mean(jaccard(common)), _mean(rank_biased_overlap(common, persistence))
            )
        )
    return SideOverlap(
        side=side,
        texts={name: _described(plan, side, node) for name, node in nodes.items()},
        depth=next((table.shape[1] for table in tables.values()), 0),
        entities=len(next(iter(tables.values()), ())),
        pairs=tuple(pairs),
        missing=tuple(name for name in nodes if name not in tables),
    )


def _of_one_length(tables: Mapping[str, np.ndarray], side: Side) -> dict[str, np.ndarray]:
    """Tables cut to one depth, and to the entities whose lists reach it in all of them.

    Both measures are of lists of one length: equal lists that end early would count as unlike.
    """
    if not tables:
        return {}
    depth = min(table.shape[1] for table in tables.values())
    cut = {name: table[:, :depth] for name, table in tables.items()}
    whole = np.logical_and.reduce([(table >= 0).all(axis=1) for table in cut.values()])
    if not whole.any():
        raise DataError(
            f"none of the {side} has {depth} neighbours by every text", hint="lower index.num_neighbours"
        )
    return {name: table[whole] for name, table in cut.items()}


def _mean(values: np.ndarray) -> Mean:
    interval = mean_interval(values, resamples=RESAMPLES)
    return Mean(float(values.mean()), interval.low, interval.high)


def _described(plan: Plan, side: Side, node: Node) -> str:
    """Describe the text behind a table as the spec does."""
    cell = next(c for c in plan.cells if c.nodes.get(f"{ROLES[side]}_neighbours") == node)
    if f"{ROLES[side]}_text" not in cell.nodes:
        return "precomputed vectors"
    source = cell.experiment.text.users if side == "users" else cell.experiment.text.items
    told = source.model_dump(mode="json", exclude_defaults=True, exclude={"provider", "leaks"})
    if "path" in told:
        told["path"] = Path(told["path"]).name
    return ", ".join([source.provider, *(f"{key} {value}" for key, value in told.items())])


def _methods(plan: Plan, names: Mapping[Side, Mapping[str, Node]], folder: Path) -> list[MethodFigures]:
    methods: dict[str, list[Cell]] = {}
    for cell in plan.cells:
        methods.setdefault(cell.slug.removesuffix(f"-s{cell.seed}"), []).append(cell)
    finished, found = read_current(folder, {cell.slug: cell.hash for cell in plan.cells}), []
    for method, cells in methods.items():
        first = cells[0]
        texts: dict[str, str] = {
            side: name
            for side, nodes in names.items()
            for name, node in nodes.items()
            if first.nodes.get(f"{ROLES[side]}_neighbours") == node
        }
        done = [finished[cell.slug] for cell in cells if cell.slug in finished]
        found.append(
            MethodFigures(
                method=method,
                texts=texts,
                seeds=len(cells),
                done=len(done),
                leaks=bool(marked_leaks(first)),
                metric={protocol: _over_seeds(done, protocol) for protocol in PROTOCOLS},
            )
        )
    return found


def _over_seeds(cells: Sequence[ResultCell], protocol: str) -> float | None:
    """The mean over cells; None unless each of them has the metric."""
    values = [cell.metrics.get(protocol, {}).get("overall", {}).get(METRIC) for cell in cells]
    return fmean(values) if values and None not in values else None


LEAK_MARK = "†"


def lay_out_prompts(found: PromptSensitivity) -> Document:
    """Arrange one section for each side, then the methods' metrics."""
    sections = [Section(f"Texts of {side.side}", [_pairs(side, found.persistence)], _texts(side))
                for side in found.sides]  # fmt: skip
    return Document(f"Prompts of {found.name}", [], [*sections, Section("Methods", [_methods_table(found)])])


def _texts(side: SideOverlap) -> list[str]:
    lines = [f"{name}: {text}" for name, text in side.texts.items()]
    return lines + [f"{name}: neighbours are not there yet" for name in side.missing]


def _pairs(side: SideOverlap, persistence: float) -> Table:
    rows = [
        [f"{pair.first} / {pair.second}", _mean_cell(pair.jaccard), _mean_cell(pair.rank_biased)]
        for pair in side.pairs
    ]
    notes = [
        f"Means over the {side.entities:,} {side.side} with {side.depth} neighbours by every text, and 95 % "
        "bootstrap intervals; 1 is the same neighbours, 0 none in common.",
        f"Rank-biased overlap with p = {persistence:g}, extrapolated from depth {side.depth} (Webber et al. "
        "2010, eq. 32).",
    ]
    return Table.of_texts("Overlap of neighbours", ["texts", f"Jaccard@{side.depth}", "RBO"], rows, notes)


def _methods_table(found: PromptSensitivity) -> Table:
    rows = [
        [
            f"{each.method} {LEAK_MARK}" if each.leaks else each.method,
            *(each.texts.get(side, BLANK) for side in ("users", "items")),
            f"{each.done}/{each.seeds}",
            *(percent(each.metric[protocol]) for protocol in ("full", "sampled")),
        ]
        for each in found.methods
    ]
    heads = ["method", "users", "items", "seeds", f"{found.metric} full", f"{found.metric} sampled"]
    notes = [
        "In percent, means over the seeds that are done: grasp-bench leaderboard says what is significant."
    ]
    if any(each.leaks for each in found.methods):
        notes.append(f"{LEAK_MARK} made from held-out items.")
    return Table.of_texts("", heads, rows, notes)


def _mean_cell(mean: Mean) -> str:
    return with_interval(mean.mean, mean.low, mean.high, digits=3)
