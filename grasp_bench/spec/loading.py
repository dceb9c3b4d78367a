"""Load a spec: read, include, override and validate it; list every resolved value and its source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import MissingFileError
from grasp_bench.core.files import FILE, FOLDER, NOTHING, fault_of_name, kind_of, resolved
from grasp_bench.core.machine import no_collection
from grasp_bench.core.words import did_you_mean
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.locations import check_paths
from grasp_bench.spec.patches import patched, read_override
from grasp_bench.spec.plugins import use_plugins
from grasp_bench.spec.problems import Problems, describe
from grasp_bench.spec.protocols import with_preset
from grasp_bench.spec.published import PublishedFigures
from grasp_bench.spec.published_reading import read_published
from grasp_bench.spec.shape import Choice, section_at
from grasp_bench.spec.tree import Entry, Node, Place, locate, merge, plain, remove, walk
from grasp_bench.spec.validation import build, salvage, without_secrets
from grasp_bench.spec.variations import check_combinations, check_patches
from grasp_bench.spec.yaml_reader import MAX_BYTES, read_file, read_text


def resolved_values(experiment: Experiment) -> dict[str, Any]:
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
    names = dict.fromkeys(name for _, _, each in walk(node) for name in each.variables)
    return Node(None, node.place, tuple(names)).origin


@dataclass(frozen=True)
class LoadedSpec:
    """A valid spec and the source of each value.

    Attributes:
        values: the values as written, includes and overrides merged in.
        sources: dotted key to "specs/x.yaml:7:12", "include specs/base.yaml:3:1", "--set", "default",
            "environment ${NAME} at specs/x.yaml:3:4" or "protocol strict at specs/x.yaml:3:11".
        tree: the values with their places.
    """

    experiment: Experiment
    path: Path
    values: dict[str, Any]
    sources: dict[str, str]
    tree: Node
    published: PublishedFigures | None = None


def load(path: Path, overrides: Sequence[str] = ()) -> LoadedSpec:
    """Load a spec file with `--set` overrides; SpecError lists all problems in file order.

    Example:
        >>> load(Path("specs/demo.yaml"), ["training.lr=1e-4"]).experiment.training.lr
        0.0001
    """
    kind = kind_of(path)
    if kind != FILE:
        raise _missing(path, kind)
    problems = Problems()
    files = SpecFiles(path, problems)
    with no_collection():  # a tree makes no garbage; the collector would traverse it again and again
        tree = files.read(path, str(path))
        return _finish(tree, path, overrides, problems, complete=files.complete)


def load_text(text: str, name: str = "<text>", overrides: Sequence[str] = ()) -> LoadedSpec:
    """Load a spec from text without `include`; `name` stands for the file in messages."""
    problems = Problems(files=[name])
    tree = read_text(text, Place(name), problems)
    if tree is not None:
        tree = checked_mapping(tree, Place(name, 1, 1), problems)
    if tree is not None and INCLUDE in tree.value:
        problems.add(tree.value[INCLUDE].key_place, INCLUDE, "only a spec in a file can include others")
        tree = remove(tree, [INCLUDE])
    return _finish(tree, Path(name), overrides, problems, complete=tree is not None)


def _missing(path: Path, kind: str) -> MissingFileError:
    if kind == FOLDER:
        specs = sorted(each.name for each in path.glob("*.y*ml"))
        return MissingFileError(
            f"{path}: a folder, not a spec file",
            hint=f"name one of its files: {', '.join(specs)}" if specs else "name a YAML file",
        )
    if kind != NOTHING:
        return MissingFileError(f"{path}: is {kind}, not a file", hint="name a YAML file")
    near = [each.name for each in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    return MissingFileError(
        f"{path}: no such file{did_you_mean(path.name, near)}", hint="`grasp-bench init` writes a starter"
    )


def _finish(
    tree: Node | None, path: Path, overrides: Sequence[str], problems: Problems, *, complete: bool
) -> LoadedSpec:
    entries: dict[str, Entry] = {}
    for text in overrides:
        parsed = read_override(text, problems)
        if parsed:
            entries[parsed[0]] = parsed[1]
    if tree is None:
        problems.raise_if_any()
    assert tree is not None
    use_plugins(tree, entries, problems)
    tree = with_preset(without_secrets(patched(tree, entries, problems), problems), problems)
    check_paths(tree, problems)
    built = build(tree)
    published = None
    if isinstance(built, Experiment):
        published = read_published(built, tree, path, problems)
        check_patches(built, tree, problems)
        if not problems.found:
            check_combinations(built, tree, problems)
    else:
        problems.extend(finding for finding in built if complete or not finding.missing)
        rest = salvage(tree, built)
        if rest is not None:
            read_published(rest.experiment, tree, path, problems)
            check_patches(rest.experiment, tree, problems, doubtful=rest.dropped)
    problems.raise_if_any()
    assert isinstance(built, Experiment)
    return LoadedSpec(built, path, plain(tree), sources(built, tree), tree, published)


INCLUDE = "include"
MAX_FILES = 64


class SpecFiles:
    """Reads a spec file and its includes; `complete` turns False when a part could not be read."""

    def __init__(self, top: Path, problems: Problems) -> None:
        self.root = top.resolve().parent
        self.problems = problems
        self.complete = True
        self._read = 0
        self._bytes = 0

    def read(self, path: Path, name: str, above: tuple[Path, ...] = ()) -> Node | None:
        """Return the merged tree of a file, without its `include`; `above` are the files that include it."""
        self._read += 1
        self._bytes += path.stat().st_size
        if name not in self.problems.files:
            self.problems.files.append(name)
        node = read_file(path, name, self.problems, included=bool(above))
        if node is not None:
            node = checked_mapping(node, Place(name, 1, 1, bool(above)), self.problems)
        if node is None:
            self.complete = False
            return None
        return self._with_includes(node, name, (*above, path.resolve()))

    def _with_includes(self, node: Node, name: str, above: tuple[Path, ...]) -> Node:
        entries = dict(node.value)
        entry = entries.pop(INCLUDE, None)
        own = Node(entries, node.place)
        if entry is None:
            return own
        base: Node | None = None
        for each in entry.node.value if isinstance(entry.node.value, list) else [entry.node]:
            found = self._include(each, name, above)
            if found is None:
                self.complete = False
            else:
                base = found if base is None else merge(base, found, changes_variant)
        return own if base is None else merge(base, own, changes_variant)

    def _include(self, node: Node, name: str, above: tuple[Path, ...]) -> Node | None:
        if node.broken:
            return None
        if not isinstance(node.value, str) or not node.value:
            return self._refuse(node, f"expected a file name, got {describe(node.value)}")
        if (fault := fault_of_name(node.value)) is not None:
            return self._refuse(node, f"{fault}; correct the path")
        path = resolved(above[-1].parent / node.value)
        if not path.is_relative_to(self.root):
            return self._refuse(node, f"'{node.value}' lies outside the folder of the spec")
        if path in above:
            return self._refuse(node, f"'{node.value}' includes itself")
        kind = kind_of(path)
        if kind not in (FILE, NOTHING):
            return self._refuse(node, f"'{node.value}' names {kind}; name a file")
        if kind == NOTHING:
            there = [each.name for each in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
            return self._refuse(node, f"no file '{node.value}'{did_you_mean(path.name, there)}")
        if self._read >= MAX_FILES:
            return self._refuse(node, f"more than {MAX_FILES} files are included")
        if self._bytes + path.stat().st_size > MAX_BYTES:
            return self._refuse(node, f"the files are larger than {MAX_BYTES >> 10} KiB together")
        return self.read(path, os.path.normpath(Path(name).parent / node.value), above)

    def _refuse(self, node: Node, message: str) -> Node | None:
        self.problems.add(node.place, INCLUDE, message)
        return None


def checked_mapping(node: Node, place: Place, problems: Problems) -> Node | None:
    """Return the node if it is a mapping; otherwise note a problem."""
    if isinstance(node.value, dict):
        return node
    if not node.broken:
        empty = "the file is empty; `grasp-bench init` writes a starter"
        listed = f"expected a mapping of sections (name, dataset, …), got {describe(node.value)}"
        problems.add(place, "", empty if node.value is None else listed)
    return None


def changes_variant(path: tuple[str, ...], base: Node, overlay: Node) -> bool:
    """Return whether both trees name a variant of a choice, and different ones."""
    values = plain(overlay)
    for part in reversed(path):
        values = {part: values}
    shape = section_at(path, values) if path else None
    if not isinstance(shape, Choice):
        return False
    old, new = base.value.get(shape.key), overlay.value.get(shape.key)
    return old is not None and new is not None and old.node.value != new.node.value
