"""What a page is made of: tables as boards have them, and figures that each have such a table behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from markupsafe import Markup

from grasp_bench.report.document import Table


@dataclass(frozen=True)
class Picture:
    """One chart, drawn for wide windows and for phones; `name` says in words what it shows."""

    name: str
    wide: Markup
    narrow: Markup


@dataclass(frozen=True)
class Figure:
    """A chart, or a few that belong together, its caption, and the same numbers as a table."""

    title: str
    pictures: Sequence[Picture]
    table: Table
    notes: Sequence[str] = ()


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
    """The answer to one declared hypothesis; `kind` is a verdict (report/verdict_words.py)."""

    kind: str
    statement: str
    words: str


@dataclass(frozen=True)
class Verdicts:
    """Answers in the order in which they were declared."""

    entries: Sequence[Verdict]


@dataclass(frozen=True)
class Folded:
    """What few read: opened by who wants it."""

    summary: str
    parts: Sequence[Part]


Part: TypeAlias = Table | Figure | Heading | Prose | Commands | Verdicts | Folded


@dataclass(frozen=True)
class PageSection:
    """One entry of the table of contents; `key` is its address on the page."""

    key: str
    title: str
    parts: Sequence[Part]


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
