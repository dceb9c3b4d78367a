"""Say how files were read, and what a reader of every figure must know of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from grasp_bench.data.entities import nested_columns
from grasp_bench.data.interactions import Interactions
from grasp_bench.data.readers import Table
from grasp_bench.data.times import NO_TIMES, UNITS, unit_of_times
from grasp_bench.spec.dataset import Columns, Dataset

MANY_REPEATS = 0.05  # of rows


def how_read(tables: Mapping[str, Table], interactions: Interactions, columns: Columns) -> dict[str, Any]:
    """Return facts of each file: its name, how it was read, nested columns left out, the unit of times."""
    facts: dict[str, Any] = {}
    for kind, table in tables.items():
        if table.file is None:
            continue
        facts[kind] = {"file": table.path.name, "read_as": table.file.how}
        left_out = nested_columns(table, columns)
        if left_out:
            facts[kind]["nested_columns_left_out"] = left_out
    times = _times(interactions)
    if facts and times is not None:
        facts["interactions"]["times"] = times
    return facts


def _times(interactions: Interactions) -> dict[str, str] | None:
    orders = interactions.frame["order"]
    unit = None if interactions.order in NO_TIMES else unit_of_times(orders)
    if unit is None:
        return None
    try:
        first, last = (
            datetime.fromtimestamp(float(time) / unit, UTC).strftime("%Y-%m-%d")  # type: ignore[arg-type]
            for time in (orders.min(), orders.max())
        )
    except (OverflowError, OSError, ValueError):
        return None
    return {"unit": UNITS[unit], "first": first, "last": last}


def note_of_ids(interactions: Interactions, items: Table | None, listed: pl.Series | None) -> list[str]:
    """Note that no item of the interactions is in the items file, with a pair that may be the same."""
    if items is None or listed is None:
        return []
    ours = interactions.frame["item"].unique(maintain_order=True)
    if ours.is_in(listed.to_list()).any():
        return []
    plain = pl.DataFrame({"theirs": listed, "key": _plain(listed)}).unique("key", maintain_order=True)
    pairs = pl.DataFrame({"ours": ours, "key": _plain(ours)}).join(plain, on="key", maintain_order="left")
    first = pairs.row(0, named=True) if len(pairs) else {"ours": ours[0], "theirs": listed[0]}
    same = ", which may be the same item" if len(pairs) else ""
    return [
        f"{items.path.name}: none of the {len(ours):,} items of {interactions.table.path.name} is listed: it "
        f"has '{first['theirs']}', the interactions have '{first['ours']}'{same}; without texts all items "
        "look alike."
    ]


def _plain(ids: pl.Series) -> pl.Series:
    """Write 007, 7.0 and 7, or A1 and a1, alike."""
    return ids.str.to_lowercase().str.replace(r"\.0+$", "").str.replace(r"^0+(\d)", "$1")


def note_of_repeats(interactions: Interactions, dataset: Dataset) -> list[str]:
    """Note that many rows repeat user, item and time, as logs of plays do."""
    frame = interactions.frame
    if dataset.repair.duplicates == "drop" or dataset.repair.repeats != "keep" or not len(frame):
        return []
    repeated = len(frame) - frame.n_unique(["user", "item", "order"])
    if repeated < MANY_REPEATS * len(frame):
        return []
    return [
        f"{interactions.table.path.name}: {repeated:,} of {len(frame):,} interactions repeat the user, item "
        f"and time of another ({100 * repeated / len(frame):.1f} %), so that the item before is often the "
        "target; dataset.repair.duplicates: drop keeps one of each."
    ]
