"""Write and read the files of a `split` artefact.

users.parquet   user_id, age, …                 row k is user k; null where unknown
items.parquet   item_id, title, category, …     row k is item k; null where unknown
train.parquet   user i32, item i32              sorted by user, oldest first
valid.parquet   user i32, item i32              one row per evaluated user, ascending
test.parquet    user i32, item i32              likewise; no training or tuning opens it
valid_rest.parquet, test_rest.parquet           likewise, several rows a user; of splits in time and by steps

`tied` in train.parquet (if equal times are one step) and test.parquet (if some targets are tied) marks rows
with the time of the item before.

card.json       the dataset card
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from grasp_bench.core import integrity
from grasp_bench.core.errors import StoreError
from grasp_bench.data.splits import NOTHING, Bools, Ints, Part, Split, TrainPart


def write_split(
    out: Path, split: Split, user_ids: list[str], item_table: pl.DataFrame,
    user_table: pl.DataFrame | None = None,
) -> None:  # fmt: skip
    """Write a split's Parquet files into a folder; the tables have one row per entity, in order.

    `user_table` has user_id and attributes; None without a users file.
    """
    only_ids = pl.DataFrame({"user_id": user_ids}, schema={"user_id": pl.String})
    (only_ids if user_table is None else user_table).write_parquet(out / "users.parquet")
    item_table.write_parquet(out / "items.parquet")
    _write_part(out / "train.parquet", split.train_users, split.train_items, split.train_tied)
    _write_part(out / "valid.parquet", split.valid_users, split.valid_items)
    _write_part(out / "test.parquet", split.test_users, split.test_items, split.test_tied)
    for name, rest in (("valid", split.valid_rest), ("test", split.test_rest)):
        if len(rest.users):
            _write_part(out / f"{name}_rest.parquet", rest.users, rest.items)


def read_train(path: Path) -> TrainPart:
    """Read the training part from the artefact's folder, without opening test.parquet.

    Raises StoreError when the files are missing or disagree.
    """
    num_users, num_items = _counts(path)
    train_users, train_items = _read_part(path / "train.parquet", num_users, num_items)
    valid_users, valid_items = _read_part(path / "valid.parquet", num_users, num_items)
    if np.any(np.diff(train_users) < 0):
        raise _damaged(path / "train.parquet", "is not sorted by user")
    lengths = np.bincount(train_users, minlength=num_users)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tied = _read_ties(path / "train.parquet")
    return TrainPart(num_users, num_items, train_items, offsets, valid_users, valid_items, train_tied=tied)


def read_test(path: Path) -> tuple[Ints, Ints]:
    """Read the locked targets: users and items, (V,) int32 each, ascending by user."""
    return _read_part(path / "test.parquet", *_counts(path))


def read_split(path: Path) -> Split:
    """Read all parts, test included, for candidates, evaluation and audits."""
    train = read_train(path)
    test_users, test_items = read_test(path)
    return Split(
        train.num_users, train.num_items, train.train_items, train.train_offsets,
        train.valid_users, train.valid_items, test_users, test_items,
        read_rest(path, "valid"), read_rest(path, "test"),
        train_tied=train.train_tied, test_tied=_read_ties(path / "test.parquet"),
    )  # fmt: skip


def read_rest(path: Path, window: str) -> Part:
    """Read the rest of a window (`valid`, `test`) after its targets; empty by leave-one-out."""
    file = path / f"{window}_rest.parquet"
    if not integrity.lists(path, file.name):
        return NOTHING
    return Part(*_read_part(file, *_counts(path)))


def read_user_ids(path: Path) -> list[str]:
    """Read the dataset's ids of users, in order."""
    return _read(path / "users.parquet", ["user_id"])["user_id"].to_list()


def read_item_ids(path: Path) -> list[str]:
    """Read the dataset's ids of items, in order."""
    return _read(path / "items.parquet", ["item_id"])["item_id"].to_list()


def read_item_table(path: Path) -> pl.DataFrame:
    """Read item_id, title, category and further text columns of all items, in order."""
    return _read(path / "items.parquet", None)


def read_user_table(path: Path) -> pl.DataFrame:
    """Read user_id and, if the dataset has a users file, its columns, in order."""
    return _read(path / "users.parquet", None)


def _write_part(path: Path, users: Ints, items: Ints, tied: Bools | None = None) -> None:
    frame = pl.DataFrame({"user": users, "item": items}, schema={"user": pl.Int32, "item": pl.Int32})
    if tied is not None:
        frame = frame.with_columns(tied=pl.Series(tied, dtype=pl.Boolean))
    frame.write_parquet(path)


def _read_ties(path: Path) -> Bools | None:
    frame = _read(path, None)
    return frame["tied"].to_numpy() if "tied" in frame.columns else None


def _read_part(path: Path, num_users: int, num_items: int) -> tuple[Ints, Ints]:
    frame = _read(path, ["user", "item"])
    users, items = frame["user"].to_numpy(), frame["item"].to_numpy()
    for values, limit in ((users, num_users), (items, num_items)):
        if values.dtype != np.int32:
            raise _damaged(path, f"holds {values.dtype} instead of int32")
        if len(values) and (values.min() < 0 or values.max() >= limit):
            raise _damaged(path, "names an entity that the split does not have")
    return users, items


def _read(path: Path, columns: list[str] | None) -> pl.DataFrame:
    try:
        return pl.read_parquet(integrity.verified(path), columns=columns, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from None


def _counts(path: Path) -> tuple[int, int]:
    """Count the users and the items of a split."""
    return _rows(path / "users.parquet"), _rows(path / "items.parquet")


def _rows(path: Path) -> int:
    try:
        return int(pl.scan_parquet(integrity.verified(path), glob=False).select(pl.len()).collect().item())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from None


def _damaged(path: Path, what: str) -> StoreError:
    """Set a finished artefact aside, and return the error for an unfinished one."""
    if (path.parent / integrity.SIDECAR).is_file():
        integrity.reject(path.parent, f"{path}: {what}")
    return StoreError(f"{path}: {what}", hint=f"delete {path.parent} and run again")
