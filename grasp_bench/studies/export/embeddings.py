"""Export the learned vectors of users and items as Parquet tables.

A user's state predicts the next item after the training and validation items; a test item is never read. An
item's vector is what states are multiplied by. With holistic attention users see different vectors, and the
mean over a fixed sample of users is written. A state times that mean is not the model's score; the metadata
say how far lists made from it agree with the model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.core import atomic
from grasp_bench.core.errors import DataError
from grasp_bench.core.store import Store
from grasp_bench.data.artefacts import read_item_ids, read_user_ids
from grasp_bench.plan.cells import Cell
from grasp_bench.studies.serving import Ints, Serving, TrainedCell, open_cell

Kind = Literal["users", "items", "both"]
Vectors = NDArray[np.float32]
HISTORY = "training and validation items, oldest first; never the test item"
SAMPLE, SEED = 64, 0  # users whose view of the items is averaged
CHUNK_USERS, CHUNK_PAIRS = 512, 1 << 18
TOP = 10


@dataclass(frozen=True)
class Table:
    """One written file: rows, width, and the metadata of its schema."""

    path: Path
    rows: int
    width: int
    metadata: Mapping[str, str]


def export_embeddings(cell: Cell, spec: str, store: Store, out: Path, kind: Kind) -> list[Table]:
    """Write `users.parquet` (user_id, state) and `items.parquet` (item_id, vector) into `out`.

    Lists are float32 of fixed size; rows are in the order of the split's users and of the catalogue. Users
    without a history have no state (null). Raises StoreError where the cell is not trained.
    """
    opened = open_cell(cell, store)
    serving = Serving(opened)
    about = {
        "spec": spec,
        "cell": cell.slug,
        "dataset": cell.dataset,
        "hash": cell.hash,
        "train_hash": cell.nodes["train"].hash,
    }
    split, tables = opened.inputs["split"].path, []
    if kind in ("users", "both"):
        states, known = user_states(opened, serving)
        about_users = {**about, "history": HISTORY, "latest_items_read": str(opened.max_len)}
        path = out / "users.parquet"
        tables.append(_write(path, "user_id", read_user_ids(split), "state", states, known, about_users))
    if kind in ("items", "both"):
        vectors, about_vectors = item_vectors(opened, serving)
        all_known = np.ones(len(vectors), dtype=bool)
        path, ids = out / "items.parquet", read_item_ids(split)
        tables.append(_write(path, "item_id", ids, "vector", vectors, all_known, {**about, **about_vectors}))
    return tables


def user_states(opened: TrainedCell, serving: Serving) -> tuple[Vectors, NDArray[np.bool_]]:
    """Compute states (n, views · d) of all users, and which users have a history."""
    known = np.diff(opened.offsets) > 0
    users = np.flatnonzero(known)
    if not len(users):
        raise DataError(f"{opened.cell.slug}: no user has a history, so there is no state")
    chunks = (users[start : start + CHUNK_USERS] for start in range(0, len(users), CHUNK_USERS))
    parts = [serving.states([serving.request(int(user)) for user in chunk]) for chunk in chunks]
    states = np.zeros((len(known), parts[0].shape[1]), dtype=np.float32)
    states[users] = np.concatenate(parts)
    return states, known


def item_vectors(opened: TrainedCell, serving: Serving) -> tuple[Vectors, dict[str, str]]:
    """Compute vectors (m, views · d) of all items, and metadata that say what they are."""
    vectors = serving.item_vectors()
    if opened.recommender.own_loss:
        raise DataError(
            f"{opened.cell.slug}: its items are scored by the probabilities of their codes, not by vectors",
            hint="export another cell, or the ranks of this one (grasp-bench export runs)",
        )
    if vectors is not None:
        return vectors, {"vectors": "the same for every user: state · vector is the score"}
    users = np.flatnonzero(np.diff(opened.offsets))
    sample = np.random.default_rng(SEED).choice(users, min(SAMPLE, len(users)), replace=False)
    mean = _mean_seen(serving, np.sort(sample))
    return mean, {
        "vectors": f"the mean of what {len(sample)} users see (seed {SEED}): state · vector is not the score",
        "users_averaged": str(len(sample)),
        f"overlap@{TOP}": f"{_overlap(serving, np.sort(sample), mean):.4f}",
    }


def _mean_seen(serving: Serving, users: Ints) -> Vectors:
    """Means (m, d) over the users of the items' vectors as each sees them, some items at a time."""
    items = serving.recommender.num_items
    at_once = max(1, CHUNK_PAIRS // len(users))
    parts = []
    for start in range(0, items, at_once):
        some = np.arange(start, min(start + at_once, items))
        requests = [serving.request(int(user), some) for user in users]
        parts.append(serving.seen(requests).mean(axis=0, dtype=np.float64))
    return np.concatenate(parts).astype(np.float32)


def _overlap(serving: Serving, users: Ints, vectors: Vectors) -> float:
    """Mean share of the model's ten best items that are also best by the users' states and these vectors."""
    requests = [serving.request(int(user)) for user in users]
    theirs = serving.best(requests)
    scores = serving.states(requests) @ vectors.T
    ours = np.argsort(-scores, axis=1, kind="stable")[:, : theirs.shape[1]]
    return float((ours[:, :, None] == theirs[:, None, :]).any(2).mean())


def _write(
    path: Path, id_column: str, ids: list[str], column: str, values: Vectors, known: NDArray[np.bool_],
    metadata: Mapping[str, str],
) -> Table:  # fmt: skip
    width = values.shape[1]
    lists = pl.Series(column, np.ascontiguousarray(values), dtype=pl.Array(pl.Float32, width))
    frame = pl.DataFrame({id_column: pl.Series(ids, dtype=pl.String), column: lists})
    if not known.all():
        told = pl.when(pl.Series(known)).then(pl.col(column)).otherwise(None).alias(column)
        frame = frame.with_columns(told)
    with atomic.stream(path) as stream:
        frame.write_parquet(stream, metadata=dict(metadata))
    return Table(path, frame.height, width, metadata)
