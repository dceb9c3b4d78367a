"""Compile a spec to a plan: cross values, apply patches, merge duplicates, share nodes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from grasp_bench.core.errors import SpecError
from grasp_bench.core.files import portable_name
from grasp_bench.core.hashing import content_hash
from grasp_bench.core.words import listed
from grasp_bench.plan.cells import Cell, Request
from grasp_bench.plan.controls import control_nodes, controls, imported, imported_nodes, inputs_of
from grasp_bench.plan.deduplication import check_hypotheses, choices_of, representative, without_idle_noise
from grasp_bench.plan.fingerprints import Fingerprint
from grasp_bench.plan.graph import CellNodes
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.controls import SHUFFLED
from grasp_bench.spec.dataset import LATER_GROUP_KEYS
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.noise import Noise
from grasp_bench.spec.patches import SECTIONS, Patcher
from grasp_bench.spec.problems import dotted
from grasp_bench.spec.section import without_defaults
from grasp_bench.spec.variations import too_many

Value = TypeVar("Value", bound=Hashable)


@dataclass(frozen=True)
class Plan:
    """The compiled spec: nodes in an order in which they can run, and the cells they make.

    `duplicates` maps the slug of a merged cell to the slug of the one that computes the same.
    """

    name: str
    nodes: tuple[Node, ...]
    cells: tuple[Cell, ...]
    duplicates: Mapping[str, str]

    def only(self, pattern: str) -> Plan:
        """Keep the cells whose slugs match a glob; SpecError when none does."""
        from fnmatch import fnmatchcase

        chosen = self.keep(lambda cell: fnmatchcase(cell.slug, pattern))
        if not chosen.cells:
            known = listed([cell.slug for cell in self.cells])
            raise SpecError([f"--only {pattern}: no cell of {self.name} has such a slug; there are: {known}"])
        return chosen

    def keep(self, wanted: Callable[[Cell], bool]) -> Plan:
        """Keep the wanted cells and the nodes that they need."""
        cells = tuple(cell for cell in self.cells if wanted(cell))
        return replace(self, cells=cells, nodes=_in_order(cells))


def compile_plan(experiment: Experiment, fingerprint: Fingerprint) -> Plan:
    """Expand compared values × (base + ablations) × noise rates × seeds to cells that share nodes.

    The plan has all seeds that a method may get (`plan.selection` selects some). Cells that compute the same
    become one, which keeps the label of the base, or of the first ablation, and the compared keys that made a
    difference. Raises SpecError with every patch that does not fit, and for hypotheses about merged methods.
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
        request = without_idle_noise(representative(group, choices), found[digest].values())
        if _slug(request) != _slug(group[0]):  # its nodes bear the label
            found[digest] = _nodes(request, made)
        cells.append(_cell(request, found[digest], shared, made))
    ordered = _distinct_slugs(_for_reading(cells, experiment))
    check_hypotheses(experiment, ordered, groups)
    return Plan(experiment.name, _in_order(ordered), ordered, _duplicates(ordered, groups))


def _nodes_once(request: Request, made: CellNodes) -> Mapping[str, Node]:
    """Make the nodes of a request; a control that many cells request is made once, named by the first."""
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
    """Map the slugs that merged requests would have had to the slug of their cell."""
    taken = {cell.slug for cell in cells}
    slugs = {
        _slug(request): cell.slug
        for cell in cells
        for request in groups[cell.hash][1:]
        if request.kind != "control"
    }
    return {slug: of for slug, of in slugs.items() if slug not in taken}


def _rates(experiment: Experiment) -> Sequence[Noise | None]:
    """The noise at each rate, lowest first; None is no noise."""
    noise = experiment.noise
    return [None] if noise is None else [noise.at(rate) for rate in noise.rates]


def _requests(experiment: Experiment) -> list[Request]:
    """Cross all values; bases come before ablations, so that a base keeps its name if both are the same."""
    problems: dict[str, None] = {}  # in order of discovery
    requests: list[Request] = []
    base, rates = Patcher(experiment), _rates(experiment)
    for ablation, patch in [(None, {}), *experiment.ablations.items()]:
        for values in itertools.product(*experiment.compare.values()):
            compared = dict(zip(experiment.compare, values, strict=True))
            try:
                patched = _patched(base, experiment, compared, ablation)
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
    base: Patcher, experiment: Experiment, compared: Mapping[str, Any], ablation: str | None
) -> Experiment:
    patch = experiment.ablations[ablation] if ablation else {}
    keys = [(f"compare.{key}", key) for key in compared]
    keys += [(f"ablations.{ablation}.{key}", key) for key in patch]
    problems = [
        f"{where}: not a setting of a cell; a patch may change {', '.join(SECTIONS)}"
        for where, key in keys
        if key.partition(".")[0] not in SECTIONS
    ]
    if problems:
        raise SpecError(problems)
    try:
        return base.apply(experiment.cell_patch(compared, ablation))
    except SpecError as error:
        where = f"ablations.{ablation}" if ablation else "compare"
        raise SpecError([f"{where}: {line}" for line in error.problems]) from None


def _cell(request: Request, found: Mapping[str, Node], shared: dict[str, Node], made: CellNodes) -> Cell:
    # The first cell with a node names it.
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
                "groups": without_defaults(protocol.groups, LATER_GROUP_KEYS),
            }
        ),
    )


def _slug(request: Request) -> str:
    model = request.experiment.model
    parts = [model.backbone, model.enhancer] if request.name is None else [request.name]
    if request.name is None and model.enhancer_settings().whole_model:
        parts = [model.enhancer]
    parts += [f"{key.rpartition('.')[2]}_{value}" for key, value in request.variant.items()]
    if request.ablation is not None:
        parts.append(request.ablation)
    if request.noise is not None:
        parts.append(f"noise_{request.noise.rate:g}")
    if request.seed is not None:
        parts.append(f"s{request.seed}")
    return "-".join(_part(part) for part in parts)


_part = lru_cache(maxsize=10_000)(portable_name)


def _distinct_slugs(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Add a piece of the hash to slugs that are equal (unicode, long values)."""
    counts = Counter(cell.slug for cell in cells)
    return tuple(
        replace(cell, slug=f"{cell.slug}-{cell.hash[:8]}") if counts[cell.slug] > 1 else cell
        for cell in cells
    )


def _for_reading(cells: list[Cell], experiment: Experiment) -> tuple[Cell, ...]:
    """Sort by method as in the spec, ablations after their base, then noise rate, then seed."""
    ablations = _positions([None, *experiment.ablations, SHUFFLED])
    # An imported run may have a seed that no trained cell has.
    seeds = _positions([None, *experiment.all_seeds, *(cell.seed for cell in cells)])
    methods = _positions(_method(cell) for cell in cells)

    def place(cell: Cell) -> tuple[int, int, float, int]:
        rate = cell.noise.rate if cell.noise is not None else 0.0
        return methods[_method(cell)], ablations[cell.ablation], rate, seeds[cell.seed]

    return tuple(sorted(cells, key=place))


def _positions(values: Iterable[Value]) -> dict[Value, int]:
    return {value: position for position, value in enumerate(dict.fromkeys(values))}


def _method(cell: Cell) -> tuple[str, ...]:
    model = cell.experiment.model
    name = (model.backbone, model.enhancer) if cell.name is None else (cell.name,)
    return *name, *(f"{key}={value}" for key, value in cell.variant.items())


def _in_order(cells: tuple[Cell, ...]) -> tuple[Node, ...]:
    """Unique nodes, inputs first, all cells of a seed before those of the next.

    A study that stops half-way then compares all methods on some seeds, not some methods on all seeds. Cells
    without a seed come first: they take seconds, and the constant control among them checks the evaluation.
    """
    nodes: dict[str, Node] = {}
    seeds = _positions([None, *(cell.seed for cell in cells)])
    for cell in sorted(cells, key=lambda cell: seeds[cell.seed]):
        for node in cell.nodes.values():
            nodes.setdefault(node.hash, node)
    return tuple(nodes.values())
