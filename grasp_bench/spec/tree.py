"""A YAML document as an immutable tree whose values know their place in the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Part = str | int


class Place(NamedTuple):
    """A position in a file; line and column count from 1, line 0 is a place without lines (--set)."""

    file: str
    line: int = 0
    column: int = 0
    included: bool = False

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Node:
    """A scalar, a list of nodes or a dict of entries.

    `variables` are the environment variables in the scalar. `broken` marks a value that was refused while
    reading: it is None here and its problem is already noted.
    """

    value: Any
    place: Place
    variables: tuple[str, ...] = ()
    broken: bool = False
    size: int = 1  # nodes below and including this one, aliases expanded

    @property
    def origin(self) -> str:
        """Return the value's source as `spec explain` prints it."""
        where = f"include {self.place}" if self.place.included else str(self.place)
        if self.variables:
            names = ", ".join(f"${{{name}}}" for name in self.variables)
            return f"environment {names} at {where}"
        return where


class Entry(NamedTuple):
    """One `key: value` of a mapping."""

    key_place: Place
    node: Node


def plain(node: Node) -> Any:
    """Return the node's value as dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(entry.node) for key, entry in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def walk(
    node: Node, path: tuple[Part, ...] = (), key_place: Place | None = None
) -> Iterator[tuple[tuple[Part, ...], Place, Node]]:
    """Yield path, place of the key (of an item: its own) and node of a tree and of all below it."""
    yield path, key_place or node.place, node
    if isinstance(node.value, dict):
        for key, entry in node.value.items():
            yield from walk(entry.node, (*path, key), entry.key_place)
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield from walk(item, (*path, index))


class View(Mapping[str, Any]):
    """A read-only view of a mapping node: equals `plain`, without a copy of the whole tree."""

    def __init__(self, node: Node) -> None:
        self._entries: dict[str, Entry] = node.value if isinstance(node.value, dict) else {}

    def __getitem__(self, key: str) -> Any:
        node = self._entries[key].node
        return View(node) if isinstance(node.value, dict) else plain(node)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def from_plain(value: Any, place: Place) -> Node:
    """Turn a plain value into a tree, every part with the same place."""
    if isinstance(value, dict):
        return Node({str(key): Entry(place, from_plain(item, place)) for key, item in value.items()}, place)
    if isinstance(value, list | tuple):
        return Node([from_plain(item, place) for item in value], place)
    return Node(value, place)


@dataclass(frozen=True)
class Located:
    """The node at a path, or the nearest one above it when `whole` is False."""

    key_place: Place
    node: Node
    whole: bool


def locate(node: Node, path: Sequence[Part]) -> Located:
    """Follow a path as far as it exists."""
    key_place = node.place
    for part in path:
        if isinstance(node.value, dict) and part in node.value:
            key_place, node = node.value[part].key_place, node.value[part].node
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            key_place = node.place
        else:
            return Located(key_place, node, whole=False)
    return Located(key_place, node, whole=True)


def assign(node: Node, path: Sequence[str], entry: Entry) -> Node:
    """Return a copy of a mapping with the entry at the path; missing mappings on the way are added."""
    if not path:
        return entry.node
    entries = dict(node.value) if isinstance(node.value, dict) else {}
    head, rest = path[0], path[1:]
    old = entries.get(head)
    below = old.node if old else Node({}, entry.key_place)
    key_place = entry.key_place if not rest or old is None else old.key_place
    entries[head] = Entry(key_place, assign(below, rest, entry))
    return Node(entries, node.place)


def merge(
    base: Node,
    overlay: Node,
    replaces: Callable[[tuple[str, ...], Node, Node], bool],
    path: tuple[str, ...] = (),
) -> Node:
    """Merge a tree into another: mappings key by key, everything else is replaced.

    `replaces(path, base, overlay)` is True for a mapping that must be replaced as a whole.
    """
    mappings = isinstance(base.value, dict) and isinstance(overlay.value, dict)
    if not mappings or replaces(path, base, overlay):
        return overlay
    entries = dict(base.value)
    for key, entry in overlay.value.items():
        below = entries.get(key)
        node = merge(below.node, entry.node, replaces, (*path, key)) if below else entry.node
        entries[key] = Entry(entry.key_place, node)
    return Node(entries, overlay.place)


def remove(node: Node, path: Sequence[str]) -> Node:
    """Return a copy without the value at the path; the same node if there is none."""
    if not isinstance(node.value, dict) or path[0] not in node.value:
        return node
    entries = dict(node.value)
    entry = entries.pop(path[0])
    if len(path) > 1:
        entries[path[0]] = Entry(entry.key_place, remove(entry.node, path[1:]))
    return Node(entries, node.place)
