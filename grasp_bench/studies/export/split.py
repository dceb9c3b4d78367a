"""Export a split and its candidates as CSV, so that another library can be trained and its scores imported.

`train.csv`, `valid.csv` and `test.csv` (user_id, item_id, position) are a published split as `split: given`
reads it; `candidates_valid.csv` and `candidates_test.csv` (user_id, item_id) list the sampled negatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from safetensors.numpy import load_file

from grasp_bench.core import atomic
from grasp_bench.core.errors import StoreError
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_item_table, read_split, read_user_ids
from grasp_bench.data.splits import Ints, Part, Split
from grasp_bench.plan.cells import Cell


@dataclass(frozen=True)
class ExportedSplit:
    """The folder of one dataset, and the rows of each file."""

    folder: Path
    rows: dict[str, int]


def export_split(cell: Cell, store: Store, folder: Path) -> ExportedSplit:
    """Write the split and candidates that a cell reads; StoreError if they are not made yet."""
    split_node, candidates_node = cell.nodes["split"], cell.nodes["candidates"]
    for node in (split_node, candidates_node):
        if not store.has(node.stage, node.hash):
            raise StoreError(f"{node.label} is not in the store", hint="grasp-bench run the spec first")
    path = store.get("split", split_node.hash).path
    split, items = read_split(path), read_item_table(path)
    names = _Names(pl.Series(read_user_ids(path)), items["item_id"])
    tables = {f"{part}.csv": names.table(rows) for part, rows in _parts(split).items()}
    stored = store.get("candidates", candidates_node.hash)
    for part, users in (("valid", split.valid_users), ("test", split.test_users)):
        name = f"{part}.safetensors"
        if stored.has_file(name):
            negatives = load_file(stored.file(name))["negatives"]
            tables[f"candidates_{part}.csv"] = names.candidates(users, negatives)
    tables["items.csv"] = items
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with atomic.stream(folder / name) as file:
            table.write_csv(file)
    return ExportedSplit(folder, {name: table.height for name, table in tables.items()})


def _parts(split: Split) -> dict[str, Part]:
    """Return the three parts, oldest first within a user; a window's target before its rest."""
    windows = {
        "train": (Part(split.train_users, split.train_items),),
        "valid": (Part(split.valid_users, split.valid_items), split.valid_rest),
        "test": (Part(split.test_users, split.test_items), split.test_rest),
    }
    return {name: _in_order(parts) for name, parts in windows.items()}


def _in_order(parts: tuple[Part, ...]) -> Part:
    users = np.concatenate([part.users for part in parts])
    order = np.argsort(users, kind="stable")
    return Part(users[order], np.concatenate([part.items for part in parts])[order])


@dataclass(frozen=True)
class _Names:
    users: pl.Series
    items: pl.Series

    def table(self, part: Part) -> pl.DataFrame:
        ids = {"user_id": self.users.gather(part.users), "item_id": self.items.gather(part.items)}
        return pl.DataFrame(ids).with_columns(pl.int_range(pl.len()).over("user_id").alias("position"))

    def candidates(self, users: Ints, negatives: Ints) -> pl.DataFrame:
        repeated = np.repeat(users, negatives.shape[1])
        return pl.DataFrame(
            {"user_id": self.users.gather(repeated), "item_id": self.items.gather(negatives.ravel())}
        )
