"""Apply dotted patches (`model.attention: softmax`) to an Experiment or to a spec that is being read.

A patch assigns: a mapping as value replaces the whole section. Another variant of a choice
(`encoder.kind`) empties that section first and keeps only keys of the same patch, because the old
variant's keys have another meaning in the new one, or none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.problems import Problem, Problems, unknown_key
from grasp_bench.spec.shape import Choice, Names, Shape, fields, section_at, shape_of, variant
from grasp_bench.spec.tree import Entry, Node, Place, View, assign, from_plain, locate, plain
from grasp_bench.spec.validation import Finding, build
from grasp_bench.spec.yaml_reader import MAX_DEPTH, read_text

# Sections that a patch of a cell may change, and all keys that decide whether a cell is valid.
SECTIONS = ("dataset", "text", "encoder", "index", "semantic_ids", "model", "training")
CELL = ("name", "noise", *SECTIONS)
PATCH = Place("patch")
OVERRIDE = Place("--set")


class Patcher:
    """Applies many patches to one experiment; each costs only the sections that it changes.

    The experiment becomes a tree once, a patch is checked without the ablations, and equal sections are
    validated once. `place` is the place of findings about the experiment's own values.

    Example:
        >>> patcher = Patcher(experiment)
        >>> [patcher.apply({"model.embedding_dim": dim}) for dim in (16, 32, 64)]
    """

    def __init__(self, experiment: Experiment, place: Place = PATCH) -> None:
        self._experiment = experiment
        self._tree = from_plain(experiment.model_dump(mode="json", by_alias=True), place)
        self._rest = {key: value for key, value in experiment if key not in CELL}
        self._sections: dict[tuple[str, str], Any] = {}

    def apply(self, patch: Mapping[str, Any]) -> Experiment:
        """Return the patched experiment, as `apply_patch` does; equal sections are one object."""
        problems = Problems()
        entries = {key: Entry(PATCH, from_plain(value, PATCH)) for key, value in patch.items()}
        built = self.build(entries, problems)
        if not isinstance(built, Experiment):
            problems.extend(built)
        problems.raise_if_any()
        assert isinstance(built, Experiment)
        return built

    def build(self, entries: Mapping[str, Entry], problems: Problems) -> Experiment | list[Finding]:
        """Return the patched experiment or its findings; unknown keys are noted as problems."""
        tree = patched(self._tree, entries, problems)
        if any(key.partition(".")[0] in self._rest for key in entries):
            return build(tree)
        cell = Node({key: tree.value[key] for key in CELL}, tree.place)
        built = self._from_sections(cell) or build(cell)
        return built.model_copy(update=self._rest) if isinstance(built, Experiment) else built

    def _from_sections(self, cell: Node) -> Experiment | None:
        """Return the experiment of these sections; None if it is invalid (`build` then finds out why)."""
        try:
            values = {key: self._section(key, cell.value[key].node) for key in CELL}
            return Experiment.model_validate(values, strict=True, by_alias=True, by_name=False)
        except ValidationError:
            return None

    def _section(self, key: str, node: Node) -> Any:
        if node is self._tree.value[key].node:
            return getattr(self._experiment, key)
        text = json.dumps(plain(node))
        if (key, text) not in self._sections:
            # Strictly and through JSON, as `build` does.
            self._sections[key, text] = adapter_of(key).validate_json(
                text, strict=True, by_alias=True, by_name=False
            )
        return self._sections[key, text]


@cache
def adapter_of(key: str) -> TypeAdapter[Any]:
    """Return the validator of one section of a spec."""
    info = Experiment.model_fields[key]
    section: Any = Annotated[info.annotation, info]
    return TypeAdapter(section)


def apply_patch(experiment: Experiment, patch: Mapping[str, Any]) -> Experiment:
    """Return the experiment with dotted keys assigned and everything validated again.

    The result differs from `experiment` in exactly the named keys. SpecError names unknown keys
    (with the nearest known one) and values that do not fit. Use `Patcher` for many patches.

    Example:
        >>> apply_patch(experiment, {"model.enhancer": "none"}).model.enhancer
        'none'
    """
    return Patcher(experiment).apply(patch)


def parse_override(text: str) -> tuple[str, Any]:
    """Split `a.b=c` into key and YAML value; SpecError if it has another form."""
    problems = Problems()
    parsed = read_override(text, problems)
    problems.raise_if_any()
    assert parsed is not None
    key, entry = parsed
    return key, plain(entry.node)


def read_override(text: str, problems: Problems) -> tuple[str, Entry] | None:
    """Parse an override for a spec that is being read: the value gets `--set` as its place."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        problems.add(OVERRIDE, "", f"'{text}' is not of the form key=value")
        return None
    node = read_text(value, OVERRIDE, problems, key=(key,))
    return None if node is None else (key, Entry(OVERRIDE, node))


def patched(tree: Node, entries: Mapping[str, Entry], problems: Problems) -> Node:
    """Assign every entry to its dotted key; unknown and overlapping keys are noted as problems."""
    problems.extend(_overlaps(entries))
    switches = [key for key in entries if _is_tag(key, tree)]
    for key in [*switches, *(key for key in entries if key not in switches)]:
        entry = entries[key]
        try:
            path = path_of(key, View(tree))
        except ValueError as error:
            problems.add(entry.key_place, key, str(error) if problems.room else "unknown key")
            continue
        if key in switches:
            tree = _switch(tree, path, entry)
        tree = assign(_with_default_tags(tree, path), path, entry)
    return tree


class UnknownKey(ValueError):
    """A dotted key that the spec does not have. Its hint is computed only when the message is read."""

    def __init__(self, path: list[str], values: Mapping[str, Any], whole: str) -> None:
        super().__init__()
        self._looked_up = (path, values, whole)

    def __str__(self) -> str:
        return unknown_key(*self._looked_up)


def path_of(key: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Split a dotted key along the spec's shape; ValueError for a key that the spec does not have.

    Keys of free mappings contain dots: `compare.model.enhancer` is ("compare", "model.enhancer").
    """
    parts = key.split(".")
    shape: Shape = Experiment
    here: Any = values
    for index, part in enumerate(parts):
        if isinstance(shape, Names):
            return (*parts[:index], *_free(parts[index:], shape.depth))
        section = variant(shape, here)
        if section is None or part not in fields(section):
            above = ".".join(parts[:index])
            if shape is None:
                raise ValueError(f"'{above}' is a value, with no keys below it")
            raise UnknownKey(parts[: index + 1], values, key)
        shape = shape_of(fields(section)[part])
        here = here.get(part) if isinstance(here, Mapping) else None
    return tuple(parts)


def _free(rest: list[str], depth: int) -> tuple[str, ...]:
    if depth == 1 or len(rest) == 1:
        return (".".join(rest),)
    return rest[0], ".".join(rest[1:])


def _overlaps(entries: Mapping[str, Entry]) -> list[Problem]:
    """Find keys below each other (`encoder` and `encoder.kind`), whose order would decide the result."""
    return [
        Problem(entries[key].key_place, key, f"overlaps with '{other}' in the same patch")
        for key in entries
        for other in _above(key)
        if other in entries
    ]


def _above(key: str) -> Iterator[str]:
    """Return the dotted keys above a dotted key, the longest first, as deep as specs go."""
    parts = key.split(".", MAX_DEPTH)[:MAX_DEPTH]
    return (".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))


def _is_tag(key: str, tree: Node) -> bool:
    above, _, last = key.rpartition(".")
    shape = section_at(above.split("."), View(tree)) if above else None
    return isinstance(shape, Choice) and shape.key == last


def _switch(tree: Node, path: tuple[str, ...], entry: Entry) -> Node:
    """Empty the section if its variant changes."""
    found = locate(tree, path)
    if found.whole and found.node.value == entry.node.value:
        return tree
    return assign(tree, path[:-1], Entry(entry.key_place, Node({}, entry.key_place)))


def _with_default_tags(tree: Node, path: tuple[str, ...]) -> Node:
    """Write out the default variant of a section that only the patch mentions."""
    for end in range(1, len(path)):
        shape = section_at(path[:end], View(tree))
        if isinstance(shape, Choice) and shape.default and not locate(tree, path[:end]).whole:
            place = Place("default")
            tree = assign(tree, (*path[:end], shape.key), Entry(place, Node(shape.default, place)))
    return tree
