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
    what = "item '{item}' is not in the items file"
    _count("unknown_items", interactions, unknown, repair, counts, what, "keep (or drop)")
    drop = repair.unknown_items == "drop"
    return interactions.replace(interactions.frame.filter(~unknown)) if drop else interactions


def repair_duplicates(interactions: Interactions, repair: Repair, counts: Counts) -> Interactions:
    """Handle rows of the same user, item and order value; `drop` keeps the first.

    By the file's own order all order values differ, and there are no duplicates.
    """
    later = ~interactions.frame.select(
        pl.struct("user", "item", "order").is_first_distinct().alias("first")
    ).to_series()
    what = "user '{user}' has item '{item}' twice with the same {column}"
    _count("duplicates", interactions, later, repair, counts, what, "keep (or drop)")
    drop = repair.duplicates == "drop"
    return interactions.replace(interactions.frame.filter(~later)) if drop else interactions


def repair_order(interactions: Interactions, repair: Repair, counts: Counts) -> Interactions:
    """Group rows by user (in order of first appearance) and sort each user's rows.

    Equal order values stay in file order (`history_order` may shuffle them). `unsorted` counts rows that come
    after a later one of the same user, `time_ties` rows with the order value of the row before.
    """
    first = pl.col(ROW).min().over("user").alias("first")
    grouped = interactions.frame.with_columns(first).sort("first", ROW)
    step = pl.col("order").diff().over("user")
    back = grouped.select((step < 0).fill_null(False)).to_series()
    what = "user '{user}' goes back in {column}"
    _count("unsorted", interactions.replace(grouped), back, repair, counts, what, "sort")
    ordered = grouped.sort("first", "order", ROW)
    tied = ordered.select((step == 0).fill_null(False)).to_series()
    what = "user '{user}' has two interactions of the same {column}"
    options = "keep (or shuffle, block)"
    _count("time_ties", interactions.replace(ordered), tied, repair, counts, what, options)
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


def _count(
    key: str,
    interactions: Interactions,
    bad: pl.Series,
    repair: Repair,
    counts: Counts,
    what: str,
    options: str,
) -> None:
    """Count the bad rows under `key`, and refuse them if `dataset.repair.<key>` says so."""
    counts[key] = int(bad.sum())
    if counts[key] and getattr(repair, key) == "refuse":
        first = interactions.frame.filter(bad).row(0, named=True)
        message = what.format(user=first["user"], item=first["item"], column=interactions.order)
        where = interactions.where(int(first[ROW]))
        raise _refusal(f"{where}: {message}", counts[key], f"{key}: {options}")


def _refusal(message: str, count: int, option: str, what: str = "row") -> DataError:
    such = f"{count} such {what}{'s' if count > 1 else ''}"
    return DataError(f"{message} ({such})", hint=f"correct the data, or set dataset.repair.{option}")
