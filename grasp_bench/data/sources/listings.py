"""Take the texts of items, and the attributes of users, from the records of raw files."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from grasp_bench.core.progress import Report, silent
from grasp_bench.data.sources.formats import Format, Record

Text = str | Callable[[Record], str]  # a key, whose lists are joined by commas, or a function of the record


@dataclass(frozen=True)
class Catalogue:
    """`texts[id]` has one text a column, '' where unknown; `repeats` counts later rows of an id."""

    texts: dict[str, tuple[str, ...]]
    repeats: int


@dataclass(frozen=True)
class Listing:
    """Where a raw file has the texts of items or users: the key of the id, and the columns.

    `file`: which of the set's files. `rows`: `wanted` gives a row to every id of the interactions, with or
    without texts; `listed` to every id of the file.
    """

    id: str
    columns: Mapping[str, Text]
    form: Format
    file: int = 0
    rows: Literal["wanted", "listed"] = "wanted"

    def catalogue(self, path: Path, wanted: Collection[str], report: Report = silent) -> Catalogue:
        """Read the texts; of an id that is listed twice, the first row counts.

        Raises DataError, with file and line, for rows that cannot be read.
        """
        keep = set(wanted) if self.rows == "wanted" else None
        texts: dict[str, tuple[str, ...]] = {}
        repeats = 0
        names = None if keep is None else (self.id, keep)
        for _, record in self.form.rows(path, report, Counter(), names):
            item = str(record.get(self.id))
            if keep is not None and item not in keep:
                continue
            if item in texts:
                repeats += 1
            else:
                texts[item] = tuple(_text(record, column) for column in self.columns.values())
        return Catalogue(texts, repeats)

    def table(self, found: Catalogue, wanted: Collection[str], name: str) -> pl.DataFrame:
        """Make the table, with the id as column `name` and without columns that are empty for all."""
        nothing = ("",) * len(self.columns)
        ids = wanted if self.rows == "wanted" else found.texts
        rows = [(each, *found.texts.get(each, nothing)) for each in ids]
        table = pl.DataFrame(rows, schema=dict.fromkeys((name, *self.columns), pl.String), orient="row")
        empty = [column for column in self.columns if column != "title" and (table[column] == "").all()]
        return table.drop(empty)


def _text(record: Record, column: Text) -> str:
    return joined(record.get(column)) if isinstance(column, str) else column(record)


def joined(value: Any, separator: str = ", ") -> str:
    """Return a value, or a list of them, as text."""
    parts = value if isinstance(value, list) else [value]
    return separator.join(text for part in parts if (text := clean(part)))


def clean(value: Any) -> str:
    """Return plain text on one line, HTML entities resolved; '' for values that are not text."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    # JSON can write half of a surrogate pair, which is not a character and cannot be stored.
    return " ".join(html.unescape(str(value)).encode(errors="replace").decode().split())
