"""Repair or refuse the rows that need a decision, filter by k-core, and draw a sample of users."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.core.errors import DataError
from grasp_bench.data.interactions import Interactions
from grasp_bench.data.readers import ROW
from grasp_bench.data.times import NO_TIMES, unit_of_times
from grasp_bench.spec.repair import Repair

Codes = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]


def iterated(users: Codes, items: Codes, min_user: int, min_item: int) -> Mask:
    """Drop rare users and items until each user has `min_user` rows and each item `min_item`.

    The fixed point is the largest such set of rows, in whatever order rows are dropped (Seidman 1983).
    `users`, `items` (R,) are codes from 0; returns a mask (R,) of the rows that stay.
    """
    staying = np.arange(len(users))
    while True:
        enough = _frequent(users[staying], min_user) & _frequent(items[staying], min_item)
        if enough.all():
            break
        staying = staying[enough]
    mask = np.zeros(len(users), dtype=bool)
    mask[staying] = True
    return mask


def single_pass(users: Codes, items: Codes, min_user: int, min_item: int) -> Mask:
    """Count and cut once, as LLM-ESR and the paper filter Beauty; some counts may end below the minimum."""
    return _frequent(users, min_user) & _frequent(items, min_item)


def _frequent(codes: Codes, minimum: int) -> Mask:
    return np.asarray(np.bincount(codes)[codes] >= minimum) if len(codes) else np.zeros(0, dtype=bool)


FILTERS = {"iterated": iterated, "single_pass": single_pass}


def sampled_users(ids: pl.Series, count: int) -> pl.Series:
    """Choose the `count` distinct user ids with the lowest SHA-256, or all if there are fewer.

    The sample depends on neither a seed nor the order of rows, and a smaller one is part of a larger one.
    """
    distinct = ids.unique(maintain_order=True).to_list()
    chosen = sorted(distinct, key=lambda user: sha256(str(user).encode()).digest())[:count]
    return pl.Series(ids.name, chosen, dtype=ids.dtype)


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
    return _repair("unknown_items", interactions, unknown, repair, counts, what, "keep (or drop)")


def repair_duplicates(interactions: Interactions, repair: Repair, counts: Counts) -> Interactions:
    """Handle rows of the same user, item and order value; `drop` keeps the first.

    By the file's own order all order values differ, and there are no duplicates.
    """
    later = ~interactions.frame.select(
        pl.struct("user", "item", "order").is_first_distinct().alias("first")
    ).to_series()
    what = "user '{user}' has item '{item}' twice with the same {column}"
    return _repair("duplicates", interactions, later, repair, counts, what, "keep (or drop)")


def drop_low_ratings(interactions: Interactions, least: float | None, counts: Counts) -> Interactions:
    """Drop interactions rated below `least` or not rated; DataError if none is left."""
    if least is None:
        return interactions
    enough = (interactions.frame["rating"] >= least).fill_null(False)
    counts["low_ratings"] = int((~enough).sum())
    if not enough.any():
        raise DataError(
            f"{interactions.table.path}: no interaction is rated {least:g} or more",
            hint="lower dataset.min_rating, or set dataset.columns.rating",
        )
    return interactions.replace(interactions.frame.filter(enough).drop("rating"))


def repair_repeats(interactions: Interactions, repair: Repair, counts: Counts) -> Interactions:
    """Keep all, the first or the last interaction of each user and item, by the order, then the file."""
    if repair.repeats == "keep":
        return interactions
    ordered = interactions.frame.sort("order", ROW)
    kept = ordered.unique(["user", "item"], keep=repair.repeats, maintain_order=True).sort(ROW)
    counts["repeats"] = len(ordered) - len(kept)
    return interactions.replace(kept)


def divide_sessions(interactions: Interactions, gap_hours: float | None) -> Interactions:
    """Make a user of each session: a pause longer than the gap begins the next one, `user#2`.

    DataError if the order is not by times since 1970.
    """
    if gap_hours is None:
        return interactions
    unit = unit_of_times(interactions.frame["order"])
    if unit is None or interactions.order in NO_TIMES:
        raise DataError(
            f"{interactions.table.path}: dataset.session_gap needs times since 1970, but histories are "
            f"ordered by '{interactions.order}'",
            hint="set dataset.columns.order to a column of times, or leave session_gap out",
        )
    pause = pl.col("order").diff().over("user") > gap_hours * 3600 * unit
    session = pause.fill_null(False).cast(pl.Int64).cum_sum().over("user") + 1
    named = pl.when(session > 1).then(pl.format("{}#{}", "user", session)).otherwise(pl.col("user"))
    frame = interactions.frame.sort("order", ROW).with_columns(named.alias("user")).sort(ROW)
    return interactions.replace(frame)


def keep_latest(interactions: Interactions, most: int | None, counts: Counts) -> Interactions:
    """Keep the last `most` rows of each user; rows are grouped by user and in order."""
    if most is None:
        return interactions
    kept = interactions.frame.filter(pl.int_range(pl.len()).reverse().over("user") < most)
    counts["beyond_max_history"] = len(interactions.frame) - len(kept)
    return interactions.replace(kept)


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
    _repair("unsorted", interactions.replace(grouped), back, repair, counts, what, "sort")
    ordered = grouped.sort("first", "order", ROW)
    tied = ordered.select((step == 0).fill_null(False)).to_series()
    what = "user '{user}' has two interactions of the same {column}"
    options = "keep (or shuffle, block)"
    _repair("time_ties", interactions.replace(ordered), tied, repair, counts, what, options)
    return interactions.replace(ordered.drop("first"))


def check_short_users(interactions: Interactions, staying: pl.Series, min_user: int, repair: Repair) -> int:
    """Count the users that filtering removes entirely; refuse if the spec says so."""
    users = interactions.frame["user"]
    left_out = users.unique(maintain_order=True)
    kept = users.filter(staying).unique()
    left_out = left_out.filter(~left_out.is_in(kept.to_list()))
    if len(left_out) and repair.short_users == "refuse":
        message = f"{interactions.table.path}: user '{left_out[0]}' falls short of min_user {min_user}"
        raise _refusal(message, len(left_out), "short_users: drop", what="user")
    return len(left_out)


def check_titles(items: pl.DataFrame, path: str, repair: Repair) -> int:
    """Count the items without a title; refuse if the spec says so."""
    missing = items.filter(pl.col("title").is_null())
    if len(missing) and repair.empty_text == "refuse":
        message = f"{path}: item '{missing['item_id'][0]}' has no title"
        raise _refusal(message, len(missing), "empty_text: keep", what="item")
    return len(missing)


def _repair(
    key: str, interactions: Interactions, bad: pl.Series, repair: Repair, counts: Counts,
    what: str, options: str,
) -> Interactions:  # fmt: skip
    """Count the bad rows under `key`; refuse, drop or keep them as `dataset.repair.<key>` says."""
    counts[key], choice = int(bad.sum()), getattr(repair, key)
    if counts[key] and choice == "refuse":
        first = interactions.frame.filter(bad).row(0, named=True)
        message = what.format(user=first["user"], item=first["item"], column=interactions.order)
        where = interactions.table.where(int(first[ROW]))
        raise _refusal(f"{where}: {message}", counts[key], f"{key}: {options}")
    return interactions.replace(interactions.frame.filter(~bad)) if choice == "drop" else interactions


def _refusal(message: str, count: int, option: str, what: str = "row") -> DataError:
    such = f"{count} such {what}{'s' if count > 1 else ''}"
    return DataError(f"{message} ({such})", hint=f"correct the data, or set dataset.repair.{option}")
