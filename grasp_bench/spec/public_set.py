"""What is known of a public dataset before it is here: raw files, rule, terms and published counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RawFile:
    """A file of a publisher; `sha256` and `size` (bytes) if they are known and do not change.

    `instead` names another file from which the same set can be built. `folder` is where a download is kept,
    for files of other sets have the same name.
    """

    url: str
    content: str
    sha256: str | None = None
    size: int | None = None
    instead: str | None = None
    folder: str = ""

    @property
    def name(self) -> str:
        """Return the last part of the address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class PublicSet:
    """A dataset under its name in specs.

    `builder` is its name in the registry of builders. `published` has the counts that are published, by
    name, e.g. users, items, interactions, interactions_read: other raw files or rules give other counts; it
    is empty if no counts are known. `by_hand`: how to get the files, if the terms forbid to download them
    here.
    """

    name: str
    title: str
    files: tuple[RawFile, ...]
    rule: str
    text: str
    terms: str
    homepage: str
    builder: str
    published: Mapping[str, int] = field(default_factory=dict)
    by_hand: str | None = None

    @property
    def published_in_words(self) -> str:
        """The published counts on one line."""
        named = [f"{count:,} {name.replace('_', ' ')}" for name, count in self.published.items()]
        return ", ".join(named) or "no published counts known"


@dataclass(frozen=True)
class Family:
    """Sets that differ in one word of their names and files.

    `pattern` is the set with the word in angle brackets, `words` are what it can be.
    """

    pattern: PublicSet
    members: Mapping[str, PublicSet]
