"""Entities of one side, text providers by name, and the function that writes checked texts."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl

from grasp_bench.components import TEXT_PROVIDERS
from grasp_bench.core.errors import DataError
from grasp_bench.spec.choices import TextSource
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.precomputed_settings import PrecomputedText

Side = Literal["users", "items"]


@dataclass(frozen=True)
class Entities:
    """The entities of one side in the split's order, and the data that texts may use.

    `ids` names them; `items` is the item table (row k is item k: item_id and text columns);
    user k's items are `history_items[history_offsets[k]:history_offsets[k + 1]]`, oldest first:
    only those that the source's scope allows. `users`, if a users file was given, is like `items` (row k is
    user k: user_id and text columns).
    """

    side: Side
    ids: Sequence[str] | pl.Series
    items: pl.DataFrame
    history_items: np.ndarray
    history_offsets: np.ndarray
    users: pl.DataFrame | None = None

    def history(self, k: int) -> np.ndarray:
        """Return the items of user k, oldest first."""
        return self.history_items[self.history_offsets[k] : self.history_offsets[k + 1]]


@dataclass(frozen=True)
class Account:
    """For providers that use a paid service: the ledger's path (None forbids requests), the payer (the
    node's hash), and a callback for the number of answered entities."""

    ledger: Path | None = None
    payer: str = ""
    report: Callable[[int], None] = lambda answered: None


@dataclass(frozen=True)
class TextStream:
    """Texts in the order of the entities, to be read once, and facts for the sidecar.

    Texts are made while they are read, so that a million of them are never in memory together. Errors of
    single entities are raised then, and facts are complete at the end.
    """

    texts: Iterable[str]
    facts: dict[str, Any] = field(default_factory=dict)


class TextProvider(Protocol):
    """Writes one text per entity, from the entities and its source alone."""

    def __init__(self, source: Any) -> None: ...

    def write(self, entities: Entities, account: Account) -> TextStream:
        """Return texts in the order of the entities."""
        ...


def write_texts(source: TextSource, entities: Entities, account: Account | None = None) -> TextStream:
    """Return the texts of the source's provider, checked while they are read.

    Sources that use a paid service need `account`. Facts: count, distinct, empty, and the provider's own.
    Raises DataError naming the entity when a text is blank and the source does not allow that.

    Example:
        >>> stream = write_texts(TemplateText(), entities)
        >>> texts = list(stream.texts)  # stream.facts are complete now
    """
    with TEXT_PROVIDERS.blamed(source.provider):
        provider = TEXT_PROVIDERS.implementation(source.provider)(source)
        written = provider.write(entities, account or Account())
    facts: dict[str, Any] = {}
    return TextStream(_checked(written, source, entities, facts), facts)


def _blamed(texts: Iterable[str], provider: str) -> Iterator[str]:
    with TEXT_PROVIDERS.blamed(provider):
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"a text is of type {type(text).__name__}")
            yield text


def _checked(
    written: TextStream, source: TextSource, entities: Entities, facts: dict[str, Any]
) -> Iterator[str]:
    hashes = array("q")  # eight bytes per text instead of a set of texts
    blank, first_blank = 0, -1
    for k, text in enumerate(_blamed(written.texts, source.provider)):
        if not text or text.isspace():
            blank, first_blank = blank + 1, k if first_blank < 0 else first_blank
        hashes.append(hash(text))
        yield text
    if len(hashes) != len(entities.ids):
        raise DataError(f"{len(hashes)} texts for {len(entities.ids)} {entities.side}")
    if blank and not _may_be_blank(source):
        raise DataError(
            f"text.{entities.side}: {blank} texts are empty, first that of '{entities.ids[first_blank]}'",
            hint="let the template say something of every entity, e.g. with missing: unknown",
        )
    distinct = len(np.unique(np.frombuffer(hashes, dtype=np.int64))) if hashes else 0
    facts |= {"count": len(hashes), "empty": blank, "distinct": distinct, **written.facts}


def _may_be_blank(source: TextSource) -> bool:
    if isinstance(source, PrecomputedText):
        return source.missing == "empty"
    return isinstance(source, LiteLLMText) and source.fallback == "drop"
