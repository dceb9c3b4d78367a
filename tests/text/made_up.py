"""A few made-up users and items, and what a provider says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from grasp_bench.spec.choices import TextSource
from grasp_bench.text.providers import Account, Entities, Side, TextStream, write_texts

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "title": ["Crème brûlée", "Rose  soap\n", None, " "],
        "brand": ["Bär", None, "Ölwerk", None],
        "price": [3.5, None, None, None],
    }
)


def entities(
    side: Side,
    histories: list[list[int]] | None = None,
    items: pl.DataFrame = ITEMS,
    users: pl.DataFrame | None = None,
) -> Entities:
    """Users u0, u1, … with these histories of row numbers, or the items."""
    histories = histories or [[0, 1]]
    ids = items["item_id"].to_list() if side == "items" else [f"u{k}" for k in range(len(histories))]
    offsets = np.cumsum([0, *map(len, histories)])
    flat = np.array([k for history in histories for k in history], dtype=np.int32)
    return Entities(side, ids, items, flat, offsets, users)


def written(
    source: TextSource, about: Entities, ledger: Path | None = None
) -> tuple[list[str], dict[str, Any]]:
    """All texts, and the facts that are complete then."""
    stream: TextStream = write_texts(source, about, Account(ledger, "payer"))
    return list(stream.texts), stream.facts
