"""Entities of one side, with the data that their texts may use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

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
