"""The contract of text providers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from grasp_bench.components import TEXT_PROVIDERS
from grasp_bench.spec.choices import text_source_of
from grasp_bench.spec.plugins import use_latest_plugin
from grasp_bench.text.providers import Entities, write_texts

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c"],
        "title": ["Rose soap", "Table lamp", "Crème brûlée"],
        "category": ["Bath", "Lighting", None],
        "brand": ["Lorem Works", None, "抹茶"],
    }
)


def check_text_provider(name: str, **keys: Any) -> None:
    """Check a text provider that asks no service, by its name or "module:Class", with `keys`.

    It writes one text for each user and item, none blank unless its settings allow that, the same in a second
    call; a text depends on its own entity alone.

    Example:
        >>> check_text_provider("template", missing="")
    """
    use_latest_plugin(TEXT_PROVIDERS, name)
    source = text_source_of({"provider": name, **keys})
    for entities in (_items([0, 1, 2]), _users([[0, 1], [2]])):
        texts = list(write_texts(source, entities).texts)
        again = list(write_texts(source, entities).texts)
        assert again == texts, f"text provider '{name}': a second call writes other texts"
    first = next(iter(write_texts(source, _users([[0, 1]])).texts))
    assert first == texts[0], f"text provider '{name}': a user's text depends on other users"


def _items(rows: list[int]) -> Entities:
    nothing = np.zeros(0, dtype=np.int32)
    chosen = ITEMS[rows]
    return Entities("items", chosen["item_id"], chosen, nothing, np.zeros(len(rows) + 1, dtype=np.int64))


def _users(histories: list[list[int]]) -> Entities:
    flat = np.array([item for history in histories for item in history], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, histories)])
    return Entities("users", [f"u{k}" for k in range(len(histories))], ITEMS, flat, offsets)
