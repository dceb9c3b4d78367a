"""Brands and categories that an item has, and that a user's history has."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from grasp_bench.studies.opening import OpenedSide

COLUMNS = ("category", "brand")
_PARTS = re.compile(r"\s*[>|]\s*")  # a category is a path, or a list


def trait_columns(items: pl.DataFrame) -> list[str]:
    """Those of brand and category of which something is known."""
    return [name for name in COLUMNS if name in items.columns and items[name].null_count() < items.height]


def traits_of_items(items: pl.DataFrame, column: str) -> list[frozenset[str]]:
    """Each item's values: the levels of its category, or its brand; empty where nothing is known."""
    values = items[column].cast(pl.String).fill_null("").to_list()
    return [frozenset(part for part in _parts(value, column) if part) for value in values]


def rows_about(opened: OpenedSide, entity: int) -> list[int]:
    """Rows of the item table that an entity is about: the item, or the history as its text may tell it."""
    return [entity] if opened.side == "items" else opened.subjects.history(entity).tolist()


def traits_of_entity(opened: OpenedSide, of_items: list[frozenset[str]], entity: int) -> frozenset[str]:
    """An item's own values, or those of all items of a user's history."""
    return frozenset().union(*(of_items[row] for row in rows_about(opened, entity)))


def incidence(opened: OpenedSide, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (entity, value number) over all entities, users by what they have in training."""
    numbers: dict[str, int] = {}
    of_items = [
        [numbers.setdefault(value, len(numbers)) for value in sorted(values)]
        for values in traits_of_items(opened.subjects.items, column)
    ]
    lengths = np.array([len(values) for values in of_items])
    rows = np.repeat(np.arange(len(of_items)), lengths)
    values = np.array([value for each in of_items for value in each], dtype=np.int64)
    if opened.side == "items":
        return rows, values
    begins = np.cumsum(lengths) - lengths
    items = opened.split.train_items.astype(np.int64)
    users = np.repeat(opened.split.train_users.astype(np.int64), lengths[items])
    inside = np.arange(len(users)) - np.repeat(np.cumsum(lengths[items]) - lengths[items], lengths[items])
    return users, values[np.repeat(begins[items], lengths[items]) + inside]


def _parts(value: str, column: str) -> list[str]:
    return _PARTS.split(value) if column == "category" else [value]
