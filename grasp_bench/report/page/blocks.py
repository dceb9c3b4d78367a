"""What a page contains besides the tables and figures of boards and studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from grasp_bench.report.document import Entry, Figure, Table


@dataclass(frozen=True)
class Linked(Entry):
    """An entry that leads to another page."""

    link: str = ""


@dataclass(frozen=True)
class Picked(Entry):
    """An entry with a box to tick: `pick` is its value in the form of the page."""

    pick: str = ""
    ticked: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Prose:
    """Lines of text: a paragraph each, or a list."""

    lines: Sequence[str]
    listed: bool = False


@dataclass(frozen=True)
class Commands:
    """Shell commands to copy."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Verdict:
    """The answer to one declared hypothesis; `kind` is a verdict (report/formatting.py)."""

    kind: str
    statement: str
    words: str


@dataclass(frozen=True)
class Verdicts:
    """Answers in the order in which they were declared."""

    entries: Sequence[Verdict]


@dataclass(frozen=True)
class Folded:
    """Details that a reader opens by a click."""

    summary: str
    blocks: Sequence[Block]


Block: TypeAlias = Table | Figure | Heading | Prose | Commands | Verdicts | Folded


@dataclass(frozen=True)
class PageSection:
    """One entry of the table of contents; `key` is its address on the page."""

    key: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Fact:
    """A number with its name, for the head of the page."""

    value: str
    name: str


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    description: str
    units: str = ""
    facts: Sequence[Fact] = field(default_factory=tuple)
    sections: Sequence[PageSection] = field(default_factory=tuple)
