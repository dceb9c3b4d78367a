"""What is known of users: attributes from a users file, for the templates that name them."""

from __future__ import annotations

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.column_text import column_text
from grasp_bench.data.interactions import entity_ids
from grasp_bench.data.readers import ROW, Table
from grasp_bench.spec.dataset import Columns

ID = "user_id"


def users_of(table: Table, columns: Columns, user_ids: list[str]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Attributes of the dataset's users, in their order.

    Returns a frame (user_id, then the file's other columns as text, null where unknown) and counts:
    rows of users that the dataset does not have, and users that the file does not list. Raises
    DataError for a missing user column, bad ids, nested columns, and users listed twice.
    """
    table.require(columns.user)
    if columns.user != ID and ID in table.frame.columns:
        raise DataError(
            f"{table.path}: columns '{columns.user}' and '{ID}' would both become '{ID}'",
            mend=f"rename one of them, or point dataset.columns.user at '{ID}'",
        )
    others = [name for name in table.frame.columns if name not in (columns.user, ROW)]
    listed = table.frame.select(
        entity_ids(table, columns.user).alias(ID), *(column_text(table, name).alias(name) for name in others)
    )
    _refuse_repeats(table, listed[ID])
    wanted = pl.DataFrame({ID: user_ids}, schema={ID: pl.String})
    counts = {
        "unknown_users": listed.join(wanted, on=ID, how="anti").height,
        "users_without_attributes": wanted.join(listed, on=ID, how="anti").height,
    }
    if counts["users_without_attributes"] == len(user_ids):
        raise DataError(
            f"{table.path}: none of its users ('{listed[ID][0]}') has interactions ('{user_ids[0]}' has)",
            mend="write the ids as the interactions file does, or set dataset.columns.user",
        )
    return wanted.join(listed, on=ID, how="left", maintain_order="left"), counts


def _refuse_repeats(table: Table, ids: pl.Series) -> None:
    later = ~ids.is_first_distinct()
    count = int(later.sum())
    if count:
        row = int(table.frame[ROW].filter(later)[0])
        raise DataError(
            f"{table.where(row)}: user '{ids.filter(later)[0]}' is listed twice "
            f"({count} such row{'s' if count > 1 else ''})",
            mend="keep one row per user",
        )
