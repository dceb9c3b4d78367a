"""A published split: three files of interactions, joined so that each part follows the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.data.interactions import FILE_ORDER, Interactions
from grasp_bench.data.readers import ROW, Table
from grasp_bench.data.temporal import Cuts
from grasp_bench.data.times import NO_TIMES

# Orders of the first interaction of each part: rows of a file are fewer.
PART = 1 << 40
CUTS_OF_PARTS = Cuts(PART, 2 * PART)


@dataclass(frozen=True)
class JoinedTable(Table):
    """The rows of several files in turn; `starts` are the numbers of their first rows."""

    tables: tuple[Table, ...] = ()
    starts: tuple[int, ...] = ()

    def where(self, row: int) -> str:
        """Name a row by its own file."""
        place = max(place for place, start in enumerate(self.starts) if start <= row)
        return self.tables[place].where(row - self.starts[place])


def joined_parts(parts: Sequence[Interactions]) -> tuple[Interactions, list[str]]:
    """Join training, validation and test; return notes on what is unusual about them.

    Within a part rows are ordered by their order values. The joined order counts them, from `PART` on in
    validation and from twice that in test. Raises DataError when the parts share no user.
    """
    starts, frames, start = [], [], 0
    for part, interactions in enumerate(parts):
        frame = interactions.frame
        rank = pl.struct("order", ROW).rank("ordinal").cast(pl.Int64) - 1 + part * PART
        frames.append(
            frame.with_columns(pl.col(ROW) + start, rank.alias("order"), pl.lit(part).alias("part"))
        )
        starts.append(start)
        start += int(frame[ROW].max()) + 1  # type: ignore[arg-type]
    rows = pl.concat(frames, how="diagonal_relaxed")
    tables = tuple(interactions.table for interactions in parts)
    table = JoinedTable(tables[0].path, rows.drop("part"), None, tables, tuple(starts))
    trained = set(frames[0]["user"].to_list())
    for interactions, name in zip(parts[1:], ("validation", "test"), strict=True):
        if trained.isdisjoint(interactions.frame["user"].to_list()):
            raise DataError(
                f"{interactions.table.path}: no {name} user is in {tables[0].path.name} "
                f"('{interactions.frame['user'][0]}' is not, '{next(iter(trained))}' is)",
                hint="a published split numbers users alike in its three files",
            )
    return Interactions(table, rows.drop("part"), FILE_ORDER), _notes(parts, rows, tables[0].path.parent)


def _notes(parts: Sequence[Interactions], rows: pl.DataFrame, folder: Path) -> list[str]:
    held_out = rows.filter(pl.col("part") > 0)
    trained = rows.filter(pl.col("part") == 0)
    both = held_out.join(trained, on=["user", "item"], how="semi").height
    several = rows.filter(pl.col("part") == 2).group_by("user").len().filter(pl.col("len") > 1).height
    notes = []
    if both:
        notes.append(
            f"{folder.name}: {both:,} of {held_out.height:,} held-out interactions have their user and item "
            "in training, too."
        )
    if several:
        notes.append(
            f"{folder.name}: {several:,} users have several test interactions; the first is the target, the "
            "others are not evaluated."
        )
    if all(part.order not in NO_TIMES for part in parts):
        first = parts[2].frame.group_by("user").agg(pl.col("order").min().alias("test"))
        later = parts[0].frame.join(first, on="user").filter(pl.col("order") > pl.col("test")).height
        if later:
            notes.append(
                f"{folder.name}: {later:,} training interactions happened after their user's first test "
                "interaction."
            )
    return notes
