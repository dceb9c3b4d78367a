"""Merge requests that compute the same, and refuse hypotheses about a merged method."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.cells import Cell, Request
from grasp_bench.plan.knowledge_nodes import NOISE_STAGES
from grasp_bench.plan.nodes import Node
from grasp_bench.spec.experiment import Experiment


def representative(group: Sequence[Request], choices: Mapping[str, int]) -> Request:
    """Return the first of the requests that compute the same, without the keys that made no difference.

    `choices` is the number of values of each compared key. Only requests of the same ablation count: a base
    with `attention: softmax` keeps its key beside an ablation that sets softmax.
    """
    first = group[0]
    if len(group) == 1:
        return first
    # Requests of one crossing (other seeds, controls made of it) share the mapping.
    crossings = {id(each.compared): each.compared for each in group if each.ablation == first.ablation}
    same = {tuple((key, _text(value)) for key, value in each.items()) for each in crossings.values()}
    idle = {key for key, count in choices.items() if _makes_no_difference(key, count, same)}
    return replace(first, without=first.without | idle)


def choices_of(experiment: Experiment) -> dict[str, int]:
    """Count the different values of each compared key."""
    return {key: len({_text(value) for value in values}) for key, values in experiment.compare.items()}


def without_idle_noise(request: Request, nodes: Iterable[Node]) -> Request:
    """Remove the noise of a request whose nodes apply none: it reads nothing that the noise affects."""
    if any(node.stage in NOISE_STAGES for node in nodes):
        return request
    return replace(request, noise=None, experiment=request.experiment.model_copy(update={"noise": None}))


def _makes_no_difference(key: str, choices: int, crossed: Collection[tuple[tuple[str, str], ...]]) -> bool:
    """True when every value of the key is crossed with everything else in the group.

    If only 5 and 10 of `5, 10 and 20` compute the same, the key must stay: else two cells could have the same
    coordinates.
    """
    if choices < 2 or len(crossed) < choices:
        return False
    others = {tuple(part for part in each if part[0] != key) for each in crossed}
    return len(crossed) == choices * len(others)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def check_hypotheses(
    experiment: Experiment, cells: Sequence[Cell], groups: Mapping[str, Sequence[Request]]
) -> None:
    """Raise SpecError for hypotheses about a merged method.

    Such a method has no row, so its hypothesis could not be tested but would count in the family that Holm
    corrects. `groups` maps the hash of each cell to its requests.
    """
    rows: dict[str, list[Cell]] = {}
    collapsed: dict[str, str] = {}
    for cell in cells:
        for name in _names(cell):
            rows.setdefault(name, []).append(cell)
        for request in groups[cell.hash]:
            collapsed |= zip(_names(request), _names(cell), strict=True)
    problems = []
    for index, hypothesis in enumerate(experiment.hypotheses):
        for side, given in (("better", hypothesis.better), ("than", hypothesis.than)):
            wrong = _problem(given, rows, collapsed)
            if wrong:
                problems.append(f"hypotheses[{index}].{side}: '{given}' {wrong}")
    if problems:
        raise SpecError(problems)


def _problem(given: str, rows: Mapping[str, Sequence[Cell]], collapsed: Mapping[str, str]) -> str | None:
    """Explain why no row has the name; `given` may end like a board's label: `grasp (num_neighbours=5)`."""
    name, details, _ = given.partition(" (")
    if name not in rows:
        same = collapsed.get(name)
        return same and f"has no row of its own: it computes the same as '{same}'; name that"
    if details and not any(cell.variant for cell in rows[name]):
        return f"has no row of its own: what is compared makes no difference to '{name}'; name that"
    return None


def _names(row: Cell | Request) -> tuple[str, str]:
    """The names that a hypothesis may use, without and with the backbone."""
    if row.name is not None:
        return row.name, row.name
    model = row.experiment.model
    short = f"{model.enhancer}/{row.ablation}" if row.ablation else model.enhancer
    return short, f"{model.backbone}+{short}"
