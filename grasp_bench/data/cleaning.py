"""Count the rows that need a decision, and refuse or repair them as `dataset.repair` says."""

from __future__ import annotations

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.interactions import Interactions
from grasp_bench.data.readers import ROW
from grasp_bench.spec.repair import Repair

Counts = dict[str, int]


def repair_unknown_items(
    interactions: Interactions, known: pl.Series | None, repair: Repair, counts: Counts
) -> Interactions:
    """Handle interactions whose item is not in the items file (`known` ids; None: there is no such file)."""
    if known is None:
        counts["unknown_items"] = 0
        return interactions
    unknown = ~interactions.frame["item"].is_in(known.to_list())
    counts["unknown_items"] = int(unknown.sum())
    if counts["unknown_items"] and repair.unknown_items == "refuse":
        row, _, item = _first(interactions, unknown)
        raise _refusal(
            f"{interactions.where(row)}: item '{item}' is not in the items file",
            counts["unknown_items"],
            "unknown_items: keep (or drop)",
        )
    if repair.unknown_items == "drop":
        return interactions.replace(interactions.frame.filter(~unknown))
    return interactions


def repair_duplicates(interactions: Interactions, repair: Repair, counts: Counts) -> Interactions:
    """Handle rows of the same user, item and order value; `drop` keeps the first.

    By the file's own order all order values differ, and there are no duplicates.
    """
    later = ~interactions.frame.select(
        pl.struct("user", "item", "order").is_first_distinct().alias("first")
    ).to_series()
    counts["duplicates"] = int(later.sum())
    if counts["duplicates"] and repair.duplicates == "refuse":
        row, user, item = _first(interactions, later)
        raise _refusal(
            f"{interactions.where(row)}: user '{user}' has item '{item}' twice with the same "
            f"{interactions.order}",
            counts["duplicates"],
            "duplicates: keep (or drop)",
        )
    if repair.duplicates == "drop":
        return interactions.replace(interactions.frame.filter(~later))
    return interactions


def repair_order(interactions: Interactions, repair: Repair, counts: Counts) -> Interactions:
    """Group rows by user (in order of first appearance) and sort each user's rows.

    Equal order values stay in file order (`history_order` may shuffle them). `unsorted` counts rows that come
    after a later one of the same user, `time_ties` rows with the order value of the row before.
    """
    grouped = interactions.frame.with_columns(pl.col(ROW).min().over("user").alias("first")).sort(
        "first", ROW
    )
    step = pl.col("order").diff().over("user")
    back = grouped.select((step < 0).fill_null(False)).to_series()
    counts["unsorted"] = int(back.sum())
    if counts["unsorted"] and repair.unsorted == "refuse":
        row, user, _ = _first(interactions.replace(grouped), back)
        raise _refusal(
            f"{interactions.where(row)}: user '{user}' goes back in {interactions.order}",
            counts["unsorted"],
            "unsorted: sort",
        )
    ordered = grouped.sort("first", "order", ROW)
    tied = ordered.select((step == 0).fill_null(False)).to_series()
    counts["time_ties"] = int(tied.sum())
    if counts["time_ties"] and repair.time_ties == "refuse":
        row, user, _ = _first(interactions.replace(ordered), tied)
        raise _refusal(
            f"{interactions.where(row)}: user '{user}' has two interactions of the same {interactions.order}",
            counts["time_ties"],
            "time_ties: keep (or shuffle, block)",
        )
    return interactions.replace(ordered.drop("first"))


def check_short_users(interactions: Interactions, staying: pl.Series, min_user: int, repair: Repair) -> int:
    """Count the users that filtering removes entirely; refuse if the spec says so."""
    users = interactions.frame["user"]
    left_out = users.unique(maintain_order=True)
    kept = users.filter(staying).unique()
    left_out = left_out.filter(~left_out.is_in(kept.to_list()))
    if len(left_out) and repair.short_users == "refuse":
        raise _refusal(
            f"{interactions.table.path}: user '{left_out[0]}' falls short of min_user {min_user}",
            len(left_out),
            "short_users: drop",
            what="user",
        )
    return len(left_out)


def check_titles(items: pl.DataFrame, path: str, repair: Repair) -> int:
    """Count the items without a title; refuse if the spec says so."""
    missing = items.filter(pl.col("title").is_null())
    if len(missing) and repair.empty_text == "refuse":
        raise _refusal(
            f"{path}: item '{missing['item_id'][0]}' has no title",
            len(missing),
            "empty_text: keep",
            what="item",
        )
    return len(missing)


def _first(interactions: Interactions, bad: pl.Series) -> tuple[int, str, str]:
    found = interactions.frame.filter(bad).row(0, named=True)
    return int(found[ROW]), found["user"], found["item"]


def _refusal(message: str, count: int, option: str, what: str = "row") -> DataError:
    such = f"{count} such {what}{'s' if count > 1 else ''}"
    return DataError(f"{message} ({such})", mend=f"correct the data, or set dataset.repair.{option}")
