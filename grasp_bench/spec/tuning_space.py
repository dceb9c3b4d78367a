"""Parse and check `tuning.space`: each key's range or choice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from grasp_bench.components import SAMPLERS
from grasp_bench.spec.experiment import Experiment, Tuning
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.shape import Choice as Variants
from grasp_bench.spec.shape import Shape, fields, shape_of
from grasp_bench.spec.tree import Node, locate, plain

PATH = ("tuning", "space")
FORMS = ("log", "choice")  # the last word of a list of numbers
MEASURES = ("dataset", "training.monitor", "training.monitor_protocol")
LARGEST_GRID = 10_000
MOST_VALUES = 1_000  # of one choice


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; `log` is a logarithmic scale."""

    low: float
    high: float
    whole: bool
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """A set of values without order."""

    values: tuple[Any, ...]


Dimension = Range | Choice


def space_of(tuning: Tuning) -> dict[str, Dimension]:
    """Return the dimension of every key of a checked spec."""
    return {key: dimension_of(key, values) for key, values in tuning.space.items()}


def dimension_of(key: str, values: Sequence[Any]) -> Dimension:
    """Parse one list of a space; ValueError for an invalid one."""
    form, told = _form(values), list(told_values(values))
    numbers = all(_is_number(value) for value in told)
    if len(told) > MOST_VALUES:
        raise ValueError(f"has {len(told):,} values, and a choice may have {MOST_VALUES:,}")
    if not told:
        raise ValueError("needs at least one value")
    if form == "log" and len(told) != 2:
        raise ValueError(f"'log' needs a range of two numbers, got {len(told)}")
    if form == "choice" or not numbers or len(told) != 2:
        return _choice(told)
    low, high = told
    if low >= high:
        raise ValueError(f"the range {told} does not ascend")
    if form == "log" and low <= 0:
        raise ValueError("a log range must begin above 0")
    whole = isinstance(low, int) and isinstance(high, int) and not _takes_fractions(key)
    return Range(low, high, whole, form == "log")


def told_values(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a list without its final word `log` or `choice`."""
    return values[:-1] if _form(values) else values


def check_space(tree: Node, problems: Problems) -> None:
    """Note problems of the lists of a space; their values are checked as patches."""
    found, compared = locate(tree, PATH), locate(tree, ("compare",))
    if not found.whole or not isinstance(found.node.value, dict):
        return
    named = locate(tree, ("tuning", "sampler"))
    sampler = plain(named.node) if named.whole else SAMPLERS.default
    grid = sampler in SAMPLERS and SAMPLERS.get(sampler).needs_choices
    dimensions: dict[str, Dimension] = {}
    for key, entry in found.node.value.items():
        path = (*PATH, key)
        if any(key == measure or key.startswith(f"{measure}.") for measure in MEASURES):
            problems.add(entry.key_place, path, "cannot be searched: it changes the objective of trials")
        if compared.whole and isinstance(compared.node.value, dict) and key in compared.node.value:
            problems.add(entry.key_place, path, "is also compared: remove it from one of the two")
        if not isinstance(entry.node.value, list) or any(item.broken for item in entry.node.value):
            continue
        try:
            dimensions[key] = dimension_of(key, plain(entry.node))
        except ValueError as error:
            problems.add(entry.node.place, path, str(error))
            continue
        if grid and isinstance(dimensions[key], Range):
            message = (
                f"sampler {sampler} needs a choice, and two numbers are a range: list more values, or end "
            )
            problems.add(entry.node.place, path, f"{message}the list with the word 'choice'")
    if grid and grid_size(dimensions) > LARGEST_GRID:
        problems.add(found.key_place, PATH, f"the grid has {grid_size(dimensions):,} points")


def grid_size(space: Mapping[str, Dimension]) -> int:
    """Return the number of points of a space of choices."""
    size = 1
    for dimension in space.values():
        size *= len(dimension.values) if isinstance(dimension, Choice) else 1
    return size


def _choice(values: list[Any]) -> Choice:
    seen: set[str] = set()
    for value in values:
        known = json.dumps(float(value) if _is_number(value) else value, sort_keys=True)
        if known in seen:
            raise ValueError(f"{value!r} repeats")
        seen.add(known)
    return Choice(tuple(values))


def _form(values: Sequence[Any]) -> str | None:
    """Return the word at the end of a list of numbers; after other values the word is a value."""
    if values and values[-1] in FORMS and all(_is_number(value) for value in values[:-1]):
        return str(values[-1])
    return None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)  # true and false are no numbers


def _takes_fractions(key: str) -> bool:
    """Return whether a key's values may be fractions in any variant of its section."""
    shapes: list[Shape] = [Experiment]
    *above, last = key.split(".")
    for part in above:
        shapes = [shape_of(known[part]) for known in _known(shapes) if part in known]
    annotations = [known[last].annotation for known in _known(shapes) if last in known]
    return any(option is float for each in annotations for option in (each, *get_args(each)))


def _known(shapes: Sequence[Shape]) -> list[dict[str, Any]]:
    found = []
    for shape in shapes:
        sections = shape.variants.values() if isinstance(shape, Variants) else [shape]
        found += [fields(section) for section in sections if isinstance(section, type)]
    return found
