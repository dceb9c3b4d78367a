"""Read YAML text, which may be hostile, into a tree with places.

The reader uses PyYAML's events and not its constructors: tags construct nothing, depth and alias expansion
are bounded before they cost memory, and every key and value keeps its place.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from grasp_bench.core.shown import unseen
from grasp_bench.spec.problems import Problems
from grasp_bench.spec.scalars import interpolate, resolve
from grasp_bench.spec.tree import Entry, Node, Place

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
LONGEST_KEY = 1_000
MAX_EXPANSION = 10_000  # nodes that aliases may add to a file
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# U+0085, U+2028 and U+2029: YAML 1.1 breaks lines there and YAML 1.2 does not, so readings differ.
# Changes of the writing direction: the displayed value would differ from the real one.
FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


class Unreadable(Exception):
    """Raised when a text is not YAML; the problem is already noted."""


def read_file(path: Path, name: str, problems: Problems, *, included: bool = False) -> Node | None:
    """Read a file into a tree and note its problems; None if it cannot be read."""
    place = Place(name, 1, 1, included)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        problems.add(place, "", f"cannot be read: {error.strerror}")
        return None
    if len(data) > MAX_BYTES:
        problems.add(place, "", f"larger than {MAX_BYTES >> 10} KiB, which no spec needs")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        message = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        problems.add(Place(name, line, column, included), "", message)
        return None
    return read_text(text, Place(name, 0, 0, included), problems)


def read_text(
    text: str,
    origin: Place,
    problems: Problems,
    *,
    key: tuple[str, ...] = (),
    environment: Mapping[str, str] = os.environ,
) -> Node | None:
    """Read YAML text into a tree; `key` is the key whose value the text is (for --set).

    Places have the file of `origin`. Returns None if the text is not YAML; a bad value becomes a broken
    node.
    """
    builder = _Builder(origin, problems, environment, key, lines=not key)
    bad = FORBIDDEN.search(text)
    if bad:
        before = text[: bad.start()]
        place = builder.at(before.count("\n"), len(before) - before.rfind("\n") - 1)
        problems.add(place, key, f"character U+{ord(bad.group()):04X} is not allowed")
        return None
    try:
        for event in yaml.parse(text, Loader=LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        _note_syntax(error, text, builder)
        return None
    except Unreadable:
        return None
    return builder.root or Node(None, builder.at(0, 0))


def _note_syntax(error: yaml.MarkedYAMLError, text: str, builder: _Builder) -> None:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    here = lines[line] if line < len(lines) else ""
    hint = ""
    if here[column:].startswith("\t"):
        hint = "; indent with spaces, not tabs"
    elif "${" in here[: column + 1]:
        hint = "; quote a value with ${…} inside brackets"
    said = ", ".join(part for part in (error.context, error.problem) if part)
    builder.problems.add(builder.at(line, column), builder.key, f"not valid YAML: {said}{hint}")


@dataclass
class _Frame:
    """A mapping or list that is still being read."""

    place: Place
    anchor: str | None
    items: Any  # dict of entries, or list of nodes
    key: tuple[str, Place] | None = None
    expects_key: bool = False
    size: int = 1
    broken: bool = False


@dataclass
class _Builder:
    origin: Place
    problems: Problems
    environment: Mapping[str, str]
    key: tuple[str, ...]
    lines: bool
    root: Node | None = None
    stack: list[_Frame] = field(default_factory=list)
    anchors: dict[str, Node | None] = field(default_factory=dict)
    expanded: int = 0
    documents: int = 0

    def at(self, line: int, column: int) -> Place:
        if not self.lines:
            return self.origin
        return Place(self.origin.file, line + 1, column + 1, self.origin.included)

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._finish(self._scalar(event), event.anchor)
            case yaml.AliasEvent():
                self._finish(self._alias(event), None)
            case yaml.MappingStartEvent():
                self._open(event, {})
            case yaml.SequenceStartEvent():
                self._open(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = self.stack.pop()
                items = None if frame.broken else frame.items
                self._finish(Node(items, frame.place, broken=frame.broken, size=frame.size), frame.anchor)
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    self._stop(event, "a second document begins here; one file is one spec")

    def _stop(self, event: yaml.Event, message: str) -> NoReturn:
        self.problems.add(self._place(event), self._path(), message)
        raise Unreadable

    def _place(self, event: yaml.Event) -> Place:
        mark = event.start_mark
        return self.at(mark.line, mark.column) if mark else self.origin

    def _path(self) -> tuple[str | int, ...]:
        path: list[str | int] = list(self.key)
        for frame in self.stack:
            if isinstance(frame.items, list):
                path.append(len(frame.items))
            elif frame.key is not None:
                path.append(frame.key[0])
        return tuple(path)

    def _open(self, event: Any, items: Any) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self._stop(event, f"nested deeper than {MAX_DEPTH} levels")
        if self.stack and self.stack[-1].expects_key:
            self._stop(event, "a key must be text, not a mapping or a list")
        if event.tag is not None:
            self.problems.add(self._place(event), self._path(), f"tag {event.tag} is not allowed")
        if event.anchor:
            self.anchors[event.anchor] = None
        mapping, tagged = isinstance(items, dict), event.tag is not None
        frame = _Frame(self._place(event), event.anchor, items, expects_key=mapping, broken=tagged)
        self.stack.append(frame)

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        place = self._place(event)
        as_key = bool(self.stack) and self.stack[-1].expects_key
        try:
            if event.tag is not None:
                raise ValueError(f"tag {event.tag} is not allowed; quote the value to make it text")
            text, names = (event.value, ()) if as_key else interpolate(event.value, self.environment)
            if bad := FORBIDDEN.search(text):  # written as "\\x1b", or come with a variable
                raise ValueError(f"character U+{ord(bad.group()):04X} is not allowed; leave it out")
            return Node(resolve(text) if event.implicit[0] else text, place, names)
        except ValueError as error:
            self.problems.add(place, self._path(), str(error))
            return Node(None, place, broken=True)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        place, name = self._place(event), str(event.anchor)
        if name not in self.anchors:
            self._stop(event, f"alias *{name} has no anchor before it")
        node = self.anchors[name]
        if node is None:
            self._stop(event, f"alias *{name} contains itself")
        self.expanded += node.size
        if self.expanded > MAX_EXPANSION:
            self._stop(event, f"aliases expand to more than {MAX_EXPANSION} values")
        return Node(node.value, place, node.variables, node.broken, node.size)

    def _finish(self, node: Node, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = node
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        if isinstance(frame.items, list):
            frame.items.append(node)
        elif frame.expects_key:
            frame.key = (self._key_text(node, frame), node.place)
            frame.expects_key = False
            return
        else:
            assert frame.key is not None
            name, place = frame.key
            if name not in frame.items and name:
                frame.items[name] = Entry(place, node)
            frame.key, frame.expects_key = None, True
        frame.size += node.size

    def _key_text(self, node: Node, frame: _Frame) -> str:
        """Return the key, or "" if it is invalid: its value is then checked and dropped."""
        if node.broken:
            return ""
        if isinstance(node.value, dict | list):
            wrong = "a key must be text, not a mapping or a list"
        elif not isinstance(node.value, str):
            wrong = f"a key must be text; quote it: '{json.dumps(node.value)}'"
        elif node.value == "<<":
            wrong = "merge keys are not part of YAML 1.2; use include:"
        elif not node.value:
            wrong = "a key must not be empty"
        elif (character := unseen(node.value)) is not None:
            wrong = f"a key must not contain {character}, which is invisible"
        elif len(node.value) > LONGEST_KEY:
            wrong = f"a key must not be longer than {LONGEST_KEY} characters"
        else:
            wrong = ""
        if wrong:
            self.problems.add(node.place, self._path(), wrong)
            return ""
        name: str = node.value
        if name in frame.items:
            first = frame.items[name].key_place
            where = f" at {first.line}:{first.column}" if first.line else ""
            self.problems.add(node.place, (*self._path(), name), f"duplicate key; it is already given{where}")
        return name
