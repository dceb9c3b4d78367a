"""The item table as templates see it: named attributes, the absent ones filled with one word."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

ID_COLUMN = "item_id"


class Item:
    """One item inside a template: `item.brand`, `item["llm summary"]`, and `item.known`.

    An attribute that this item lacks, or that no item has, reads as the word for missing ones.
    """

    __slots__ = ("_missing", "_values")

    def __init__(self, values: dict[str, str], missing: str) -> None:
        self._values = values
        self._missing = missing

    def __getitem__(self, name: str) -> str:
        return self._values.get(name, self._missing)

    @property
    def known(self) -> list[tuple[str, str]]:
        """Names and values of what is known of this item, in the order of the columns."""
        return list(self._values.items())


def title_of(item: Item) -> str:
    """The title; without one, the first other thing that is known; else the missing word."""
    known = dict(item.known)
    return known.get("title") or next(iter(known.values()), item["title"])


def attribute_names(items: pl.DataFrame) -> list[str]:
    """Columns that describe an item: all but its id."""
    return [name for name in items.columns if name != ID_COLUMN]


def read_items(items: pl.DataFrame, missing: str) -> list[Item]:
    """Turn every row into an Item; empty and blank cells count as unknown."""
    names = attribute_names(items)
    columns = [_clean(items[name]) for name in names]
    rows = zip(*columns, strict=True) if columns else ((),) * items.height
    return [
        Item({name: cell for name, cell in zip(names, row, strict=True) if cell}, missing) for row in rows
    ]


def _clean(column: pl.Series) -> Sequence[str]:
    """Text of a column; lists are joined, white space is made single so that one item stays one line."""
    if isinstance(column.dtype, pl.List | pl.Array):
        column = column.cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True)
    text = column.cast(pl.String).fill_null("")
    return text.str.replace_all(r"\s+", " ").str.strip_chars().to_list()
