"""What a spec varies (`compare`, `ablations`, `tuning.space`), checked while the file is at hand.

A cell is made much later, perhaps after hours of others; what is wrong with its patch has to be
said now, at the line and column of the patch.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.patches import apply_patch, patched
from grasp_bench.spec.problems import Problem, Problems
from grasp_bench.spec.tree import Entry, Node, Place, from_plain, locate
from grasp_bench.spec.validation import build

SECTIONS = ("dataset", "text", "encoder", "index", "model", "training")
FIXED = frozenset(Experiment.model_fields) - frozenset(SECTIONS)
MAX_COMBINATIONS = 500  # beyond these the plan finds what only goes wrong in combination


def check_variations(experiment: Experiment, tree: Node, problems: Problems) -> None:
    """Note every problem of a key, a value or a combination in compare, ablations and tuning."""
    known = len(problems.found)
    base = from_plain(experiment.model_dump(mode="json", by_alias=True), Place(""))
    for above, patch in _patches(tree):
        _check(base, above, patch, problems)
    if len(problems.found) == known:
        _check_combinations(experiment, tree, problems)


def _patches(tree: Node) -> Iterator[tuple[str, dict[str, Entry]]]:
    """All patches of a spec, with the path that they stand under."""
    for key, entry in _entries(tree, "compare"):
        for value in _items(entry.node):
            yield "compare", {key: Entry(entry.key_place, value)}
    for name, entry in _entries(tree, "ablations"):
        if isinstance(entry.node.value, dict):
            yield f"ablations.{name}", entry.node.value
    for key, entry in _entries(tree, "tuning", "space"):
        for value in _items(entry.node):
            yield "tuning.space", {key: Entry(entry.key_place, value)}


def _entries(tree: Node, *path: str) -> list[tuple[str, Entry]]:
    found = locate(tree, path)
    return list(found.node.value.items()) if found.whole and isinstance(found.node.value, dict) else []


def _items(node: Node) -> list[Node]:
    return [item for item in node.value if not item.broken] if isinstance(node.value, list) else []


def _check(base: Node, above: str, patch: Mapping[str, Entry], problems: Problems) -> None:
    """Try one patch on the base; what is wrong is told under the path of the patch."""
    found = Problems()
    allowed = {}
    for key, entry in patch.items():
        if key.split(".")[0] in FIXED:
            found.add(entry.key_place, key, f"cannot vary; a patch may name {', '.join(SECTIONS)}")
        else:
            allowed[key] = entry
    built = build(patched(base, allowed, found))
    if not isinstance(built, Experiment):
        # Findings elsewhere come from a combination that other patches may complete.
        found.extend(each for each in built if any(_below(each.key, key) for key in allowed))
    problems.extend(Problem(each.place, f"{above}.{each.key}", each.message) for each in found.found)


def _below(key: str, patch_key: str) -> bool:
    return key == patch_key or key.startswith((f"{patch_key}.", f"{patch_key}["))


def _check_combinations(experiment: Experiment, tree: Node, problems: Problems) -> None:
    """Build the compared cells and their ablations, and note what is wrong with each for the first time."""
    if not (experiment.compare or experiment.ablations):
        return
    said: set[str] = set()
    keys = list(experiment.compare)
    cells = itertools.product(*experiment.compare.values())
    for values in itertools.islice(cells, MAX_COMBINATIONS // (1 + len(experiment.ablations))):
        cell = dict(zip(keys, values, strict=True))
        for path, patch in [(("compare",), {}), *_named(experiment.ablations)]:
            try:
                apply_patch(experiment, {**cell, **patch})
            except SpecError as error:
                for line in error.problems:
                    if line not in said:
                        said.add(line)
                        where = ", ".join(f"{key} {value}" for key, value in cell.items())
                        text = line.removeprefix("patch").lstrip(": ")
                        place = locate(tree, path).key_place
                        problems.add(place, path, f"{text}" + (f" (with {where})" if where else ""))
                if not patch:
                    break  # its ablations fail likewise


def _named(ablations: Mapping[str, Mapping[str, Any]]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
    return [(("ablations", name), patch) for name, patch in ablations.items()]
