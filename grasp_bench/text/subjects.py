"""Whom a text is about, and what may be said of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

Side = Literal["users", "items"]


@dataclass(frozen=True)
class Subjects:
    """The entities of one side in the split's order, and what may be told of them.

    `ids` names them; `items` is the item table (row k is item k: item_id and text columns);
    user k's items are `history_items[history_offsets[k]:history_offsets[k + 1]]`, oldest first:
    those that the source's scope allows and no others, so no text can be made from more.
    """

    side: Side
    ids: Sequence[str]
    items: pl.DataFrame
    history_items: np.ndarray
    history_offsets: np.ndarray

    def histories(self) -> Iterator[np.ndarray]:
        """Each user's items, oldest first."""
        for start, end in zip(self.history_offsets[:-1], self.history_offsets[1:], strict=True):
            yield self.history_items[start:end]


@dataclass(frozen=True)
class Written:
    """Texts in the order of the subjects, and facts about them for the sidecar."""

    texts: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
