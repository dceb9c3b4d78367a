"""What a published rule makes of raw files, before it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from grasp_bench.core.progress import Report


@dataclass(frozen=True, eq=False)
class Made:
    """Tables, and what was counted on the way.

    `interactions` has user_id, item_id, rating, timestamp: rows of a user together, oldest first, users
    in the published order, so that the published number of a user or an item (from 1) is the place of
    its first appearance. `items` has item_id and texts; `users`, where there is one, attributes.
    """

    interactions: pl.DataFrame
    items: pl.DataFrame
    users: pl.DataFrame | None
    counts: Mapping[str, int]


# Raw files by their published names, a folder for temporary files, and who hears of progress.
Maker = Callable[[Mapping[str, Path], Path, Report], Made]


def interactions_table(users: object, items: object, ratings: object, times: object) -> pl.DataFrame:
    """Columns of equal length as the table; a rating that is absent throughout has no column."""
    table = pl.DataFrame(
        {"user_id": users, "item_id": items, "rating": ratings, "timestamp": times},
        schema={"user_id": pl.String, "item_id": pl.String, "rating": pl.Float64, "timestamp": pl.Int64},
        strict=False,
    ).with_columns(pl.col("rating").fill_nan(None))
    return table.drop("rating") if table["rating"].null_count() == table.height else table
