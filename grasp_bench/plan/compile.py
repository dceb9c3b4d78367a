"""Spec to plan: cross, patch, collapse duplicates, share nodes."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from grasp_bench.core.errors import SpecError
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.suggest import listed
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.collapse import Request, choices_of, kept, without_idle_noise
from grasp_bench.plan.controls import control_nodes, controls, inputs_of
from grasp_bench.plan.graph import CellNodes, Fingerprint
from grasp_bench.plan.hypotheses import check_hypotheses
from grasp_bench.plan.imported import imported, imported_nodes
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.controls import SHUFFLED
from grasp_bench.spec.dataset import LATER_GROUP_KEYS
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.extent import too_many
from grasp_bench.spec.noise import Noise
from grasp_bench.spec.patches import SECTIONS, Patcher
from grasp_bench.spec.problems import dotted
from grasp_bench.spec.section import settled

Value = TypeVar("Value", bound=Hashable)


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

        chosen = self.keep(lambda cell: fnmatchcase(cell.slug, pattern))
        if not chosen.cells:
            known = listed([cell.slug for cell in self.cells])
            raise SpecError([f"--only {pattern}: no cell of {self.name} has such a slug; there are: {known}"])
        return chosen

    def keep(self, wanted: Callable[[Cell], bool]) -> Plan:
        """The part of the plan that makes the cells that are wanted."""
        cells = tuple(cell for cell in self.cells if wanted(cell))
        return replace(self, cells=cells, nodes=_in_order(cells))


def compile_plan(experiment: Experiment, fingerprint: Fingerprint) -> Plan:
    """Expand compared values × (base + ablations) × noise rates × seeds to cells that share nodes.

    All seeds that a method may come to have are in it (`plan.seeds` takes the part that is wanted).
    Cells that compute the same collapse into one; it keeps the label of the base, or of the first
    ablation that asked for it, and of its variant what made a difference. Raises SpecError with every
    patch that does not fit, and for hypotheses about a method that collapsed.
    """
    if (excess := too_many(experiment)) is not None:
        raise SpecError([f"{dotted(excess.path)}: {excess.message}"])
    requests = _requests(experiment)
    groups: dict[str, list[Request]] = {}
    found: dict[str, Mapping[str, Node]] = {}
    made, choices = CellNodes(fingerprint), choices_of(experiment)
    for request in (*requests, *controls(experiment, requests), *imported(experiment, requests)):
        nodes = _nodes_once(request, made)
        digest = nodes["metrics"].hash
        groups.setdefault(digest, []).append(request)
        found.setdefault(digest, nodes)
    shared: dict[str, Node] = {}
    cells = []
    for digest, group in groups.items():
        request = without_idle_noise(kept(group, choices), found[digest].values())
        if _slug(request) != _slug(group[0]):  # its nodes bear the label
            found[digest] = _nodes(request, made)
        cells.append(_cell(request, found[digest], shared, made))
    ordered = _distinct_slugs(_for_reading(cells, experiment))
    check_hypotheses(experiment, ordered, groups)
    return Plan(experiment.name, _in_order(ordered), ordered, _duplicates(ordered, groups))


def _nodes_once(request: Request, made: CellNodes) -> Mapping[str, Node]:
    """The nodes of a request; a control that many cells ask for alike is made once, named by the first."""
    if request.kind != "control" or request.name is None:
        return _nodes(request, made)
    protocol, read = request.experiment.dataset.protocol, made.read_by(request.experiment)
    values = (request.name, *inputs_of(request, read))
    return made.once("control", (protocol,), values, lambda: _nodes(request, made))


def _nodes(request: Request, made: CellNodes) -> Mapping[str, Node]:
    label = _slug(request)
    if request.name is None:
        return made.of(request.experiment, label)
    read = made.read_by(request.experiment)
    if request.kind == "imported":
        return imported_nodes(request, read, label, made.fingerprint)
    return control_nodes(request, read, label)


def _duplicates(cells: Sequence[Cell], groups: Mapping[str, Sequence[Request]]) -> dict[str, str]:
    """What the collapsed requests would have been called, to the slug of their cell."""
    taken = {cell.slug for cell in cells}
    slugs = {
        _slug(request): cell.slug
        for cell in cells
        for request in groups[cell.hash][1:]
        if request.kind != "control"
    }
    return {slug: kept for slug, kept in slugs.items() if slug not in taken}


def _rates(experiment: Experiment) -> Sequence[Noise | None]:
    """The noise of each rate, the lowest first; None is no noise."""
    noise = experiment.noise
    return [None] if noise is None else [noise.at(rate) for rate in noise.rates]


def _requests(experiment: Experiment) -> list[Request]:
    """All bases come before all ablations, so that a base keeps its name when both are the same."""
    problems: dict[str, None] = {}  # in the order in which they are found
    requests: list[Request] = []
    base, rates = Patcher(experiment), _rates(experiment)
    for ablation, patch in [(None, {}), *experiment.ablations.items()]:
        for values in itertools.product(*experiment.compare.values()):
            compared = dict(zip(experiment.compare, values, strict=True))
            try:
                patched = _patched(base, compared, patch, ablation)
            except SpecError as error:
                problems.update(dict.fromkeys(error.problems))
                continue
            for noise, seed in itertools.product(rates, experiment.all_seeds):
                cell = patched.model_copy(update={"seeds": (seed,), "noise": noise})
                requests.append(Request(cell, ablation, compared, seed, frozenset(patch), noise=noise))
    if problems:
        raise SpecError(list(problems))
    return requests


def _patched(
    base: Patcher, compared: Mapping[str, Any], patch: Mapping[str, Any], ablation: str | None
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
        return base.apply({**compared, **patch})
    except SpecError as error:
        where = f"ablations.{ablation}" if ablation else "compare"
        raise SpecError([f"{where}: {line}" for line in error.problems]) from None


def _cell(request: Request, found: Mapping[str, Node], shared: dict[str, Node], made: CellNodes) -> Cell:
    # The first cell that asked for a node names it.
    nodes = {role: shared.setdefault(node.hash, node) for role, node in found.items()}
    protocol = request.experiment.dataset.protocol
    return Cell(
        slug=_slug(request),
        experiment=request.experiment,
        dataset=made.located(request.experiment.dataset).name,
        ablation=request.ablation,
        noise=request.noise,
        variant=request.variant,
        seed=request.seed,
        kind=request.kind,
        name=request.name,
        nodes=nodes,
        protocol_hash=content_hash(
            {
                "split": nodes["split"].hash,
                "candidates": nodes["candidates"].hash,
                "ties": protocol.ties,
                "exclude_history": protocol.exclude_history,
                "also_full_ranking": protocol.also_full_ranking,
                "groups": settled(protocol.groups, LATER_GROUP_KEYS),
            }
        ),
    )


def _slug(request: Request) -> str:
    model = request.experiment.model
    parts = [model.backbone, model.enhancer] if request.name is None else [request.name]
    parts += [f"{key.rpartition('.')[2]}_{value}" for key, value in request.variant.items()]
    if request.ablation is not None:
        parts.append(request.ablation)
    if request.noise is not None:
        parts.append(f"noise_{request.noise.rate:g}")
    if request.seed is not None:
        parts.append(f"s{request.seed}")
    return "-".join(_plain(part) for part in parts)


@lru_cache(maxsize=10_000)
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
    """Seeds of a method together, rates ascending, ablations below their base, methods as in the spec."""
    ablations = _places([None, *experiment.ablations, SHUFFLED])
    # An imported run may have a seed that no model of ours has.
    seeds = _places([None, *experiment.all_seeds, *(cell.seed for cell in cells)])
    methods = _places(_method(cell) for cell in cells)

    def place(cell: Cell) -> tuple[int, int, float, int]:
        rate = cell.noise.rate if cell.noise is not None else 0.0
        return methods[_method(cell)], ablations[cell.ablation], rate, seeds[cell.seed]

    return tuple(sorted(cells, key=place))


def _places(values: Iterable[Value]) -> dict[Value, int]:
    return {value: place for place, value in enumerate(dict.fromkeys(values))}


def _method(cell: Cell) -> tuple[str, ...]:
    model = cell.experiment.model
    name = (model.backbone, model.enhancer) if cell.name is None else (cell.name,)
    return *name, *(f"{key}={value}" for key, value in cell.variant.items())


def _in_order(cells: tuple[Cell, ...]) -> tuple[Node, ...]:
    """Unique nodes, inputs before what reads them, all cells of a seed before those of the next.

    So a study that is stopped half-way compares all its methods on some seeds, rather than some of
    its methods on all seeds. Cells without a seed come first: they take seconds, and one of them tells
    whether the evaluation is sound.
    """
    nodes: dict[str, Node] = {}
    seeds = _places([None, *(cell.seed for cell in cells)])
    for cell in sorted(cells, key=lambda cell: seeds[cell.seed]):
        for node in cell.nodes.values():
            nodes.setdefault(node.hash, node)
    return tuple(nodes.values())
