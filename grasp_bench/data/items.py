"""What is known of items: ids, titles, categories and every other column, as text."""

from __future__ import annotations

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.column_text import LIST_JOIN, column_text
from grasp_bench.data.interactions import entity_ids
from grasp_bench.data.readers import ROW, Table
from grasp_bench.spec.dataset import Columns
from grasp_bench.spec.repair import Repair

PATH_JOIN = " > "  # a list of categories is a path from the root, written as CSV files write it


def items_of(table: Table, columns: Columns, repair: Repair) -> tuple[pl.DataFrame, int]:
    """Take ids and text from an items file.

    Returns a frame (item_id, title, category, then the file's other columns; all text, null where
    empty), one row per listed item, and how many rows were dropped because their item was already
    listed. Raises DataError for missing columns, bad ids, nested columns and, unless repaired,
    items listed twice.
    """
    table.require(columns.item)
    named = {columns.item: "item_id"}
    for column, name in ((columns.title, "title"), (columns.category, "category")):
        if column in table.frame.columns:
            named[column] = name
        elif column != Columns.model_fields["title" if name == "title" else "category"].default:
            table.require(column)
    _refuse_clash(table, named)
    frame = table.frame.select(
        entity_ids(table, columns.item).alias("item_id"),
        *(
            _item_text(table, column, named.get(column, column))
            for column in table.frame.columns
            if column not in (columns.item, ROW)
        ),
    )
    for name in ("title", "category"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(name))
    others = [name for name in frame.columns if name not in ("item_id", "title", "category")]
    return _without_repeats(table, frame.select("item_id", "title", "category", *others), repair)


def nothing_known(item_ids: list[str]) -> pl.DataFrame:
    """The items frame of a dataset without an items file."""
    schema = {"item_id": pl.String, "title": pl.String, "category": pl.String}
    empty = [None] * len(item_ids)
    return pl.DataFrame({"item_id": item_ids, "title": empty, "category": empty}, schema=schema)


def rows_for(known: pl.DataFrame, item_ids: list[str]) -> pl.DataFrame:
    """One row per id, in that order; null where an id is not listed."""
    wanted = pl.DataFrame({"item_id": item_ids}, schema={"item_id": pl.String}).with_row_index(ROW)
    return wanted.join(known, on="item_id", how="left").sort(ROW).drop(ROW)


def _refuse_clash(table: Table, named: dict[str, str]) -> None:
    for column, name in named.items():
        if column != name and name in table.frame.columns and name not in named:
            raise DataError(
                f"{table.path}: columns '{column}' and '{name}' would both become '{name}'",
                mend=f"rename one of them, or point dataset.columns at '{name}'",
            )


def _item_text(table: Table, column: str, name: str) -> pl.Series:
    return column_text(table, column, PATH_JOIN if name == "category" else LIST_JOIN).alias(name)


def _without_repeats(table: Table, frame: pl.DataFrame, repair: Repair) -> tuple[pl.DataFrame, int]:
    later = ~frame["item_id"].is_first_distinct()
    count = int(later.sum())
    if count and repair.duplicate_items == "refuse":
        row = int(table.frame[ROW].filter(later)[0])
        raise DataError(
            f"{table.where(row)}: item '{frame['item_id'].filter(later)[0]}' is listed twice "
            f"({count} such row{'s' if count > 1 else ''})",
            mend="remove them, or set dataset.repair.duplicate_items: first",
        )
    return frame.filter(~later), count
