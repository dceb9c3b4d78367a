"""List every resolved value of a spec and its source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.tree import Node, locate


def resolved(experiment: Experiment) -> dict[str, Any]:
    """Return every value of an experiment by dotted key, defaults included, in the models' order."""
    return {".".join(path): value for path, value in leaves(experiment)}


def leaves(experiment: Experiment) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield paths and values of an experiment; lists and empty mappings are values."""
    yield from _leaves(experiment.model_dump(mode="json", by_alias=True), ())


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    else:
        yield path, value


def sources(experiment: Experiment, tree: Node) -> dict[str, str]:
    """Map each dotted key to the place of its value, or "default"."""
    found = {}
    for path, _ in leaves(experiment):
        located = locate(tree, path)
        found[".".join(path)] = _origin(located.node) if located.whole else "default"
    return found


def _origin(node: Node) -> str:
    """Return a value's source; a list comes from the environment if one of its items does."""
    names = tuple(dict.fromkeys(_variables(node)))
    return Node(None, node.place, names).origin


def _variables(node: Node) -> Iterator[str]:
    yield from node.variables
    if isinstance(node.value, list):
        for item in node.value:
            yield from _variables(item)
