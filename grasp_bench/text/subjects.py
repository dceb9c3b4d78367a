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
    """The entities of one side in the split's order, and the training part of the data.

    `ids` names them; `items` is the item table (row k is item k: item_id and text columns);
    user k's training items are `train_items[train_offsets[k]:train_offsets[k + 1]]`, oldest
    first. Nothing held out is in here, so no text can be made from it.
    """

    side: Side
    ids: Sequence[str]
    items: pl.DataFrame
    train_items: np.ndarray
    train_offsets: np.ndarray

    def histories(self) -> Iterator[np.ndarray]:
        """Each user's training items, oldest first."""
        for start, end in zip(self.train_offsets[:-1], self.train_offsets[1:], strict=True):
            yield self.train_items[start:end]


@dataclass(frozen=True)
class Written:
    """Texts in the order of the subjects, and facts about them for the sidecar."""

    texts: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
