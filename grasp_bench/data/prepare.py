"""Turn a dataset section into numbered sequences: locate, read, repair, filter, order, number."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from grasp_bench.core.errors import DataError
from grasp_bench.core.tables.layout import Layout
from grasp_bench.data.cleaning import (
    FILTERS,
    Codes,
    check_short_users,
    check_titles,
    divide_sessions,
    drop_low_ratings,
    keep_latest,
    repair_duplicates,
    repair_order,
    repair_repeats,
    repair_unknown_items,
    sampled_users,
)
from grasp_bench.data.entities import nothing_known, read_items, read_users, rows_for
from grasp_bench.data.interactions import Interactions, interactions_of
from grasp_bench.data.made import made_tables
from grasp_bench.data.parts import joined_parts
from grasp_bench.data.readers import ROW, Table, read_table
from grasp_bench.data.reading_notes import how_read, note_of_ids, note_of_repeats
from grasp_bench.data.sequences import Sequences, reordered
from grasp_bench.spec.dataset import Columns, Dataset
from grasp_bench.spec.format import TableFormat
from grasp_bench.spec.locations import DatasetFiles, locate


@dataclass(frozen=True, eq=False)
class Prepared:
    """Numbered sequences, one row of text per item in the same order, and counts of repairs and filters.

    `equal_times` is the value of `dataset.repair.time_ties`. `users` has one row of attributes per user if
    the dataset has a users file; `users_file` counts its mismatches. `files` says how each file was read,
    `notes` are sentences that a reader of every figure must know.
    """

    name: str
    sequences: Sequences
    items: pl.DataFrame
    order: str
    repairs: dict[str, int]
    filtered: dict[str, int]
    equal_times: str = "keep"
    users: pl.DataFrame | None = None
    users_file: dict[str, int] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def prepare(dataset: Dataset) -> Prepared:
    """Read a dataset and prepare it for splitting.

    Raises MissingFileError and DataError (naming file and line) for data that cannot be used or that
    `dataset.repair` refuses.
    """
    located = locate(dataset)
    columns = Columns() if located.generated else dataset.columns
    tables = _tables(located, dataset)
    table, item_table, user_table = tables["interactions"], tables.get("items"), tables.get("users")
    repairs = dict[str, int]()
    read = partial(
        interactions_of, columns=columns, time=dataset.format.time, rated=dataset.min_rating is not None
    )
    interactions = read(table)
    files, notes = how_read(tables, interactions, columns), list[str]()
    if "test" in tables:
        if dataset.repair.ascending_runs == "shuffle":
            raise DataError(
                f"{located.name}: ascending_runs: shuffle would move interactions between the given parts",
                hint="leave dataset.repair.ascending_runs out",
            )
        interactions, notes = joined_parts(
            [interactions, *(read(tables[part]) for part in ("valid", "test"))]
        )
    interactions = drop_low_ratings(interactions, dataset.min_rating, repairs)
    known, repeated = (None, 0) if item_table is None else read_items(item_table, columns, dataset.repair)
    repairs["duplicate_items"] = repeated
    listed = None if known is None else known["item_id"]
    notes += [*note_of_ids(interactions, item_table, listed), *note_of_repeats(interactions, dataset)]
    interactions = repair_unknown_items(interactions, listed, dataset.repair, repairs)
    interactions = repair_duplicates(interactions, dataset.repair, repairs)
    interactions = repair_repeats(interactions, dataset.repair, repairs)
    interactions = divide_sessions(interactions, dataset.session_gap)
    interactions, filtered = _filter(interactions, dataset)
    if dataset.sample_users is not None:
        chosen = sampled_users(interactions.frame["user"], dataset.sample_users)
        interactions = interactions.replace(interactions.frame.filter(pl.col("user").is_in(chosen.implode())))
    interactions = repair_order(interactions, dataset.repair, repairs)
    interactions = keep_latest(interactions, dataset.max_history, repairs)
    sequences = reordered(_number(interactions), interactions.order, dataset.repair, located.name)
    items = nothing_known(sequences.item_ids) if known is None else rows_for(known, sequences.item_ids)
    text_path = str(located.items or located.interactions or located.name)
    repairs["missing_titles"] = check_titles(items, text_path, dataset.repair)
    users, users_file = None, dict[str, int]()
    if user_table is not None:
        users, users_file = read_users(user_table, columns, sequences.user_ids)
    return Prepared(
        located.name, sequences, items, interactions.order, repairs, filtered, dataset.repair.time_ties,
        users, users_file, files, notes,
    )  # fmt: skip


def _tables(located: DatasetFiles, dataset: Dataset) -> dict[str, Table]:
    """Read the tables of a dataset, by their kinds."""
    if (made := dataset.made()) is not None:
        return made_tables(dataset.source, made)
    form = dataset.format
    layouts = {"items": _layout(form.items), "users": _layout(form.users)}
    return {
        kind: read_table(path, layouts.get(kind) or _layout(form)) for kind, path in located.files.items()
    }


def _layout(form: TableFormat) -> Layout:
    return Layout(form.character, form.header, form.encoding, form.quotes, form.user_lines)


def _filter(interactions: Interactions, dataset: Dataset) -> tuple[Interactions, dict[str, int]]:
    frame = interactions.frame
    users, items = _codes(frame["user"]), _codes(frame["item"])
    if dataset.protocol.split == "given":  # as published: nothing is filtered
        mask = np.ones(len(frame), dtype=bool)
    else:
        mask = FILTERS[dataset.core](users, items, dataset.min_user, dataset.min_item)
    staying = pl.Series(mask)
    users_left_out = check_short_users(interactions, staying, dataset.min_user, dataset.repair)
    if not mask.any():
        raise DataError(
            f"{interactions.table.path}: no interactions are left with min_user {dataset.min_user} and "
            f"min_item {dataset.min_item} ({len(frame)} in the file)",
            hint="lower dataset.min_user or dataset.min_item, or check dataset.columns",
        )
    filtered = {
        "interactions_read": int(interactions.table.frame.height),
        "interactions_left_out": int((~mask).sum()),
        "users_left_out": users_left_out,
        "items_left_out": int(frame["item"].n_unique() - frame["item"].filter(staying).n_unique()),
    }
    return interactions.replace(frame.filter(staying)), filtered


def _codes(ids: pl.Series) -> Codes:
    """Number ids from 0 in order of first appearance."""
    rows = pl.DataFrame({"id": ids}).with_row_index(ROW)
    first = rows.select(pl.col(ROW).min().over("id")).to_series().to_numpy()
    return np.unique(first, return_inverse=True)[1]


def _number(interactions: Interactions) -> Sequences:
    """Number users and items by first appearance in rows that are grouped by user and in order."""
    frame = interactions.frame
    users, items = _codes(frame["user"]), _codes(frame["item"])
    return Sequences(
        user_ids=frame["user"].unique(maintain_order=True).to_list(),
        item_ids=frame["item"].unique(maintain_order=True).to_list(),
        items=items.astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(np.bincount(users))]).astype(np.int64),
        orders=frame["order"].to_numpy(),
    )
