"""`include:` — a spec laid over other files of the same folder.

Included files are merged in the order given, each over those before it, and the including file
over all of them. A choice whose variant changes (`encoder.kind`) is replaced as a whole.
"""

from __future__ import annotations

import os
from pathlib import Path

from grasp_bench.core.files import FILE, NOTHING, fault_of_name, kind_of, resolved
from grasp_bench.core.suggest import did_you_mean
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.shape import Choice, section_at
from grasp_bench.spec.tree import Node, Place, merge, plain
from grasp_bench.spec.wording import describe
from grasp_bench.spec.yaml_reader import MAX_BYTES, read_file

KEY = "include"
MAX_FILES = 64


class SpecFiles:
    """Reads a spec file and what it includes; `complete` turns False when a part could not be read."""

    def __init__(self, top: Path, problems: Problems) -> None:
        self.root = top.resolve().parent
        self.problems = problems
        self.complete = True
        self._read = 0
        self._bytes = 0

    def read(self, path: Path, name: str, above: tuple[Path, ...] = ()) -> Node | None:
        """The merged tree of a file, without its `include`; `above` are the files that include it."""
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
        entry = entries.pop(KEY, None)
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
        self.problems.add(node.place, KEY, message)
        return None


def checked_mapping(node: Node, place: Place, problems: Problems) -> Node | None:
    """The node if it is a mapping; otherwise a problem is noted."""
    if isinstance(node.value, dict):
        return node
    if not node.broken:
        empty = "the file is empty; `grasp-bench init` writes a starter"
        listed = f"expected a mapping of sections (name, dataset, …), got {describe(node.value)}"
        problems.add(place, "", empty if node.value is None else listed)
    return None


def changes_variant(path: tuple[str, ...], base: Node, overlay: Node) -> bool:
    """True where both name a variant of a choice, and not the same one."""
    values = plain(overlay)
    for part in reversed(path):
        values = {part: values}
    shape = section_at(path, values) if path else None
    if not isinstance(shape, Choice):
        return False
    old, new = base.value.get(shape.key), overlay.value.get(shape.key)
    return old is not None and new is not None and old.node.value != new.node.value
