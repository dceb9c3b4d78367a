"""The dataset card: what a reader must know of the data before believing a number made from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from grasp_bench.data.dividing import divide
from grasp_bench.data.order_facts import order_facts, order_warnings
from grasp_bench.data.prepare import Prepared, prepare
from grasp_bench.data.sequences import Sequences, says_only_places
from grasp_bench.data.splits import Split
from grasp_bench.spec.dataset import Dataset

HISTOGRAM_FROM = (1, 2, 3, 4, 5, 6, 8, 11, 16, 21, 31, 51, 101, 201, 501, 1001)
MANY_CLONES = 10

Card = dict[str, Any]


def card_of_dataset(dataset: Dataset) -> Card:
    """Read, split and describe a dataset; raises what `prepare` raises."""
    divided = divide(prepare(dataset), dataset.protocol)
    return {**card_of(divided.prepared, divided.split), **divided.facts}


def card_of(prepared: Prepared, split: Split) -> Card:
    """Describe a prepared and split dataset; JSON-able, shares in [0, 1], counts as integers."""
    sequences = prepared.sequences
    interactions = len(sequences.items)
    tied = None if says_only_places(sequences, prepared.order) else sequences.tied
    card = {
        "name": prepared.name,
        "users": sequences.num_users,
        "items": sequences.num_items,
        "interactions": interactions,
        "density": interactions / (sequences.num_users * sequences.num_items),
        "lengths": describe_lengths(sequences.lengths),
        "evaluated_users": len(split.test_users),
        "training_interactions": len(split.train_items),
        "repeat_targets": repeat_share(split),
        "unseen_targets": unseen_share(split),
        "cloned_users": {
            "any": clone_share(sequences, others=1),
            "ten_or_more": clone_share(sequences, others=MANY_CLONES),
        },
        "order": prepared.order,
        "time_ties": tie_share(sequences),
        "missing_titles": prepared.repairs["missing_titles"],
        "items_with_text": _items_with_text(prepared.items),
        "filtered": prepared.filtered,
        "repairs": prepared.repairs,
        "item_order": order_facts(split, sequences.item_ids, tied),
    }
    return {**card, "warnings": order_warnings(card)}


def describe_lengths(lengths: NDArray[np.int64]) -> dict[str, Any]:
    """Minimum, median, mean, maximum, and users by ranges of length (`to` is included; null: no end)."""
    edges = [*HISTOGRAM_FROM, np.iinfo(np.int64).max]
    counts = np.histogram(lengths, bins=edges)[0].tolist()
    ends: list[int | None] = [edge - 1 for edge in HISTOGRAM_FROM[1:]]
    ranges = zip(HISTOGRAM_FROM, [*ends, None], counts, strict=True)
    return {
        "min": int(lengths.min()),
        "median": float(np.median(lengths)),
        "mean": float(lengths.mean()),
        "max": int(lengths.max()),
        "histogram": [{"from": low, "to": high, "users": count} for low, high, count in ranges if count],
    }


def repeat_share(split: Split) -> float:
    """Share of test targets that the user already had, in training or validation."""
    items, offsets = split.known()
    before = np.repeat(np.arange(split.num_users), np.diff(offsets)) * split.num_items + items
    targets = split.test_users.astype(np.int64) * split.num_items + split.test_items
    return _share(np.isin(targets, before))


def unseen_share(split: Split) -> float:
    """Share of test targets whose item occurs in nobody's training sequence."""
    seen = np.bincount(split.train_items, minlength=split.num_items) > 0
    return _share(~seen[split.test_items])


def clone_share(sequences: Sequences, others: int) -> float:
    """Share of users whose exact sequence at least `others` other users have as well."""
    lengths = sequences.lengths
    cloned = np.zeros(sequences.num_users, dtype=bool)
    for length in np.unique(lengths):
        users = np.flatnonzero(lengths == length)
        rows = sequences.items[sequences.offsets[users][:, None] + np.arange(length)]
        _, group, size = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
        cloned[users] = size[group.ravel()] > others
    return _share(cloned)


def tie_share(sequences: Sequences) -> dict[str, Any]:
    """Interactions whose time is that of the one before (count), and the users with such (share)."""
    users, tied = sequences.users, sequences.tied
    return {
        "interactions": int(tied.sum()),
        "users": len(np.unique(users[tied])) / sequences.num_users,
    }


def _items_with_text(items: pl.DataFrame) -> dict[str, int]:
    """For each text column, how many items have something in it."""
    names = [name for name in items.columns if name != "item_id"]
    return {name: len(items) - items[name].null_count() for name in names}


def _share(flags: NDArray[np.bool_]) -> float:
    return float(flags.mean()) if len(flags) else 0.0
