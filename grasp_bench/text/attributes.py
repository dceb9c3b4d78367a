"""Give templates the named attributes of items and users, with one word for missing values."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import polars as pl

ID_COLUMNS = ("item_id", "user_id")  # ids, never part of a text
REMEMBERED_TITLES = 2**16


class Record:
    """One row inside a template: `item.brand`, `user["llm summary"]`, and `item.known`.

    An attribute that is unknown for this entity, withheld, or absent from the table reads as the word for
    missing values.
    """

    __slots__ = ("_attributes", "_row")

    def __init__(self, attributes: Attributes, row: int) -> None:
        self._attributes = attributes
        self._row = row

    def __getitem__(self, name: str) -> str:
        return self._attributes.value(self._row, str(name))

    # Without this, Python would iterate by item[0], item[1], … without end.
    __iter__ = None

    def __str__(self) -> str:
        return "; ".join(f"{name}: {value}" for name, value in self.known)

    @property
    def known(self) -> list[tuple[str, str]]:
        """Names and values of this entity's known attributes, in the order of the columns."""
        return self._attributes.known(self._row)


class Attributes:
    """Columns of a table, kept as columns: a record is a row number until an attribute is read.

    Empty and blank cells count as unknown. `withheld` columns are not stored.
    """

    def __init__(self, table: pl.DataFrame, missing: str, withheld: Collection[str] = ()) -> None:
        names = [name for name in attribute_names(table) if name not in withheld]
        self._columns = {name: _clean(table[name]) for name in names}
        self._withheld = frozenset(withheld)
        self._missing = missing
        self._read: set[str] = set()
        self._height = table.height
        # Popular items occur in many histories.
        self.title = lru_cache(REMEMBERED_TITLES)(self._title)

    def __getitem__(self, row: int) -> Record:
        return Record(self, row)

    def value(self, row: int, name: str) -> str:
        """Return one cell, or the word for missing values."""
        self._read.add(name)
        column = self._columns.get(name)
        return (column[row] if column is not None else "") or self._missing

    def known(self, row: int) -> list[tuple[str, str]]:
        """Return names and values of the cells that are not empty."""
        cells = ((name, column[row]) for name, column in self._columns.items())
        return [(name, cell) for name, cell in cells if cell]

    def _title(self, row: int) -> str:
        """Return the title, else the first known attribute, else the word for missing values."""
        titles = self._columns.get("title")
        if titles is not None and titles[row]:
            return str(titles[row])
        return next((cell for _, cell in self.known(row)), self._missing)

    def undescribed(self) -> int:
        """Count the rows without any known attribute."""
        if not self._columns:
            return self._height
        empty = pl.DataFrame([column == "" for column in self._columns.values()])
        return int(empty.select(pl.all_horizontal(pl.all())).to_series().sum())

    def facts(self) -> dict[str, Any]:
        """Return, for the names read so far, absent columns and the number of empty cells."""
        there = self._read & self._columns.keys()
        empty = {name: int((self._columns[name] == "").sum()) for name in sorted(there)}
        return {
            "absent_columns": sorted(self._read - self._columns.keys() - self._withheld),
            "unknown": {name: count for name, count in empty.items() if count},
        }


def attribute_names(table: pl.DataFrame) -> list[str]:
    """Return the columns that describe an entity: all but its id."""
    return [name for name in table.columns if name not in ID_COLUMNS]


def _clean(column: pl.Series) -> pl.Series:
    """Return a column as text: lists joined, white space collapsed, so that an item stays one line."""
    if isinstance(column.dtype, pl.List | pl.Array):
        column = column.cast(pl.List(pl.String)).list.join(", ", ignore_nulls=True)
    text = column.cast(pl.String).fill_null("")
    return text.str.replace_all(r"\s+", " ").str.strip_chars()
