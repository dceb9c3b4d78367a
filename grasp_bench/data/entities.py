"""Take the attributes of items and users, as text, from their files."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.readers import (
    LIST_JOIN,
    ROW,
    Table,
    column_text,
    entity_ids,
    is_text_list,
    refuse_rows,
)
from grasp_bench.spec.dataset import Columns
from grasp_bench.spec.repair import Repair

PATH_JOIN = " > "  # a list of categories is a path from the root, written as CSV files write it

USER_ID = "user_id"


def read_items(table: Table, columns: Columns, repair: Repair) -> tuple[pl.DataFrame, int]:
    """Read ids and text from an items file.

    Returns a frame (item_id, title, category, then the file's other columns; all text, null where empty) with
    one row per item, and the number of rows dropped because their item was listed before. Raises DataError
    for missing columns, bad ids, nested columns that the spec names and, unless repaired, items listed twice.
    """
    table.require(columns.item)
    table = joined_title(table, columns.titles)
    table = replace(table, frame=table.frame.drop(nested_columns(table, columns)))
    title = "title" if len(columns.titles) > 1 else columns.titles[0]
    named = {columns.item: "item_id"}
    for column, name in ((title, "title"), (columns.category, "category")):
        if column in table.frame.columns:
            named[column] = name
        elif column != Columns.model_fields[name].default:
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
    frame = frame.select("item_id", "title", "category", pl.exclude("item_id", "title", "category"))
    if repair.duplicate_items == "refuse":
        hint = "remove them, or set dataset.repair.duplicate_items: first"
        _refuse_repeats(table, frame["item_id"], "item", hint)
    first = frame["item_id"].is_first_distinct()
    return frame.filter(first), int((~first).sum())


def joined_title(table: Table, columns: tuple[str, ...]) -> Table:
    """Replace several columns by one, `title`, of their texts joined by spaces; one column stays as it is."""
    if len(columns) == 1:
        return table
    table.require(*columns)
    texts = [column_text(table, column).alias(column) for column in columns]
    others = table.frame.drop(columns)
    if "title" in others.columns:
        raise DataError(
            f"{table.path}: the columns {', '.join(columns)} would become 'title', which is another column",
            hint="add title to dataset.columns.title, or rename it",
        )
    joined = pl.concat_str(pl.all(), separator=" ", ignore_nulls=True).replace("", None).alias("title")
    return replace(table, frame=others.with_columns(pl.DataFrame(texts).select(joined).to_series()))


def nested_columns(table: Table, columns: Columns) -> list[str]:
    """Return the columns of nested values that no key of the spec names: they are left out."""
    asked = {columns.item, columns.user, columns.category, *columns.titles}
    return [
        name
        for name, kind in table.frame.schema.items()
        if kind.is_nested() and not is_text_list(kind) and name not in asked
    ]


def nothing_known(item_ids: list[str]) -> pl.DataFrame:
    """Make the items frame of a dataset without an items file."""
    schema = {"item_id": pl.String, "title": pl.String, "category": pl.String}
    empty = [None] * len(item_ids)
    return pl.DataFrame({"item_id": item_ids, "title": empty, "category": empty}, schema=schema)


def rows_for(known: pl.DataFrame, item_ids: list[str]) -> pl.DataFrame:
    """Select one row per id, in that order; null where an id is not listed."""
    wanted = pl.DataFrame({"item_id": item_ids}, schema={"item_id": pl.String}).with_row_index(ROW)
    return wanted.join(known, on="item_id", how="left").sort(ROW).drop(ROW)


def _refuse_clash(table: Table, named: dict[str, str]) -> None:
    for column, name in named.items():
        if column != name and name in table.frame.columns and name not in named:
            raise DataError(
                f"{table.path}: columns '{column}' and '{name}' would both become '{name}'",
                hint=f"rename one of them, or point dataset.columns.{name.removesuffix('_id')} at '{name}'",
            )


def _item_text(table: Table, column: str, name: str) -> pl.Series:
    return column_text(table, column, PATH_JOIN if name == "category" else LIST_JOIN).alias(name)


def read_users(table: Table, columns: Columns, user_ids: list[str]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Read the attributes of the dataset's users, in their order.

    Returns a frame (user_id, then the file's other columns as text, null where unknown) and two counts: rows
    of users that the dataset does not have, and users that the file does not list. Raises DataError for a
    missing user column, bad ids, and users listed twice.
    """
    table.require(columns.user)
    table = replace(table, frame=table.frame.drop(nested_columns(table, columns)))
    _refuse_clash(table, {columns.user: USER_ID})
    others = [name for name in table.frame.columns if name not in (columns.user, ROW)]
    listed = table.frame.select(
        entity_ids(table, columns.user).alias(USER_ID),
        *(column_text(table, name).alias(name) for name in others),
    )
    _refuse_repeats(table, listed[USER_ID], "user", "keep one row per user")
    wanted = pl.DataFrame({USER_ID: user_ids}, schema={USER_ID: pl.String})
    counts = {
        "unknown_users": listed.join(wanted, on=USER_ID, how="anti").height,
        "users_without_attributes": wanted.join(listed, on=USER_ID, how="anti").height,
    }
    if counts["users_without_attributes"] == len(user_ids):
        raise DataError(
            f"{table.path}: none of its users ('{listed[USER_ID][0]}') has interactions; '{user_ids[0]}' has",
            hint="write the ids as the interactions file does, or set dataset.columns.user",
        )
    return wanted.join(listed, on=USER_ID, how="left", maintain_order="left"), counts


def _refuse_repeats(table: Table, ids: pl.Series, kind: str, hint: str) -> None:
    later = ~ids.is_first_distinct()
    if later.any():
        refuse_rows(table, later, f"{kind} '{ids.filter(later)[0]}' is listed twice", hint)
