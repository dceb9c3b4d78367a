"""Spec to plan: cross, patch, collapse duplicates, share nodes."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from grasp_bench.core.errors import SpecError
from grasp_bench.core.hashing import content_hash
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.graph import Fingerprint, cell_nodes
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.locations import locate
from grasp_bench.spec.patches import apply_patch
from grasp_bench.spec.variations import SECTIONS

# Compared keys that have a column and a place in the slug of their own.
NAMED_KEYS = ("model.backbone", "model.enhancer")


@dataclass(frozen=True)
class Plan:
    """What a spec compiles to: nodes in an order in which they can run, and the cells they make.

    `duplicates` maps the slug of a cell that collapsed to the slug of the one that computes the same.
    """

    name: str
    nodes: tuple[Node, ...]
    cells: tuple[Cell, ...]
    duplicates: Mapping[str, str]

    def only(self, pattern: str) -> Plan:
        """The part of the plan whose slugs match a glob; SpecError when none does."""
        from fnmatch import fnmatchcase

        cells = tuple(cell for cell in self.cells if fnmatchcase(cell.slug, pattern))
        if not cells:
            known = ", ".join(cell.slug for cell in self.cells)
            raise SpecError([f"--only {pattern}: no cell of {self.name} has such a slug; there are: {known}"])
        return replace(self, cells=cells, nodes=_in_order(cells))


@dataclass(frozen=True)
class _Request:
    """One crossing of compared values, ablation and seed, before it is known what it computes."""

    experiment: Experiment
    ablation: str | None
    variant: Mapping[str, Any]
    seed: int


def compile_plan(experiment: Experiment, fingerprint: Fingerprint) -> Plan:
    """Expand compared values × (base + ablations) × seeds to cells that share nodes.

    Cells that compute the same collapse into one; it keeps the label of the base, or of the first
    ablation that asked for it. Raises SpecError with every patch that does not fit and for
    requests that this version cannot run.
    """
    cells: dict[str, Cell] = {}
    collapsed: list[tuple[str, str]] = []
    shared: dict[str, Node] = {}
    for request in _requests(experiment):
        cell = _cell(request, fingerprint, shared)
        if cell.hash in cells:
            collapsed.append((cell.slug, cell.hash))
        else:
            cells[cell.hash] = cell
    ordered = _distinct_slugs(_for_reading(list(cells.values()), experiment))
    slugs = {cell.hash: cell.slug for cell in ordered}
    taken = set(slugs.values())
    duplicates = {slug: slugs[digest] for slug, digest in collapsed if slug not in taken}
    return Plan(experiment.name, _in_order(ordered), ordered, duplicates)


def _requests(experiment: Experiment) -> Iterator[_Request]:
    """All bases come before all ablations, so that a base keeps its name when both are the same."""
    problems: list[str] = []
    requests: list[_Request] = []
    for ablation, patch in [(None, {}), *experiment.ablations.items()]:
        for values in itertools.product(*experiment.compare.values()):
            compared = dict(zip(experiment.compare, values, strict=True))
            try:
                patched = _patched(experiment, compared, patch, ablation)
            except SpecError as error:
                problems += [line for line in error.problems if line not in problems]
                continue
            for seed in experiment.seeds:
                base = patched.model_copy(update={"seeds": (seed,)})
                requests.append(_Request(base, ablation, compared, seed))
    if problems:
        raise SpecError(problems)
    return iter(requests)


def _patched(
    experiment: Experiment, compared: Mapping[str, Any], patch: Mapping[str, Any], ablation: str | None
) -> Experiment:
    places = [(f"compare.{key}", key) for key in compared]
    places += [(f"ablations.{ablation}.{key}", key) for key in patch]
    problems = [
        f"{place}: not a setting of a cell; a patch may change {', '.join(SECTIONS)}"
        for place, key in places
        if key.partition(".")[0] not in SECTIONS
    ]
    if problems:
        raise SpecError(problems)
    try:
        return apply_patch(experiment, {**compared, **patch})
    except SpecError as error:
        where = f"ablations.{ablation}" if ablation else "compare"
        raise SpecError([f"{where}: {line}" for line in error.problems]) from None


def _cell(request: _Request, fingerprint: Fingerprint, shared: dict[str, Node]) -> Cell:
    slug = _slug(request)
    found = cell_nodes(request.experiment, slug, fingerprint)
    # The first cell that asked for a node names it.
    nodes = {role: shared.setdefault(node.hash, node) for role, node in found.items()}
    protocol = request.experiment.dataset.protocol
    return Cell(
        slug=slug,
        experiment=request.experiment,
        dataset=locate(request.experiment.dataset).name,
        ablation=request.ablation,
        variant={key: value for key, value in request.variant.items() if key not in NAMED_KEYS},
        seed=request.seed,
        nodes=nodes,
        protocol_hash=content_hash(
            {
                "split": nodes["split"].hash,
                "candidates": nodes["candidates"].hash,
                "ties": protocol.ties,
                "exclude_history": protocol.exclude_history,
                "also_full_ranking": protocol.also_full_ranking,
                "groups": protocol.groups.model_dump(mode="json"),
            }
        ),
    )


def _slug(request: _Request) -> str:
    model = request.experiment.model
    parts: list[str] = [model.backbone, model.enhancer]
    parts += [
        f"{key.rpartition('.')[2]}_{value}" for key, value in request.variant.items() if key not in NAMED_KEYS
    ]
    if request.ablation is not None:
        parts.append(request.ablation)
    return "-".join(_plain(part) for part in [*parts, f"s{request.seed}"])


def _plain(text: str) -> str:
    """Letters, digits, dot and underscore only: safe as a file name and in a glob."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("._")[:60] or "_"


def _distinct_slugs(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Cells whose names became equal (unicode, long values) get a piece of their hash."""
    counts = Counter(cell.slug for cell in cells)
    return tuple(
        replace(cell, slug=f"{cell.slug}-{cell.hash[:8]}") if counts[cell.slug] > 1 else cell
        for cell in cells
    )


def _for_reading(cells: list[Cell], experiment: Experiment) -> tuple[Cell, ...]:
    """Seeds of a method together, ablations below their base, methods in the order of the spec."""
    ablations = [None, *experiment.ablations]
    methods = list(dict.fromkeys(_method(cell) for cell in cells))

    def place(cell: Cell) -> tuple[int, int, int]:
        return (
            methods.index(_method(cell)),
            ablations.index(cell.ablation),
            experiment.seeds.index(cell.seed),
        )

    return tuple(sorted(cells, key=place))


def _method(cell: Cell) -> tuple[str, ...]:
    model = cell.experiment.model
    return model.backbone, model.enhancer, *(f"{key}={value}" for key, value in cell.variant.items())


def _in_order(cells: tuple[Cell, ...]) -> tuple[Node, ...]:
    """Unique nodes, inputs before what reads them, all cells of a seed before those of the next.

    So a study that is stopped half-way compares all its methods on some seeds, rather than some of
    its methods on all seeds.
    """
    nodes: dict[str, Node] = {}
    seeds = list(dict.fromkeys(cell.seed for cell in cells))
    for cell in sorted(cells, key=lambda cell: seeds.index(cell.seed)):
        for node in cell.nodes.values():
            nodes.setdefault(node.hash, node)
    return tuple(nodes.values())
