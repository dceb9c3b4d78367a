"""Hold items out of training altogether, so that targets are items that no training sequence has.

    items by SHA-256 of seed and id:  cold in test | cold in validation | warm

A user's target is the last interaction with an item that is cold in test, or, without one, with an item that
is cold in validation; the history is what came before it, warm items alone. What comes after the target is
left out, and users without a target train on their warm items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from grasp_bench.core.errors import LeakError
from grasp_bench.data.parts import PART
from grasp_bench.data.sequences import Sequences
from grasp_bench.data.splits import Split
from grasp_bench.spec.dataset import ColdItems

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ColdSequences:
    """Histories whose `orders` say the part of each row (see `parts.CUTS_OF_PARTS`).

    `kept_users` marks the users that stay, `in_valid` and `in_test` (m,) the items that are cold there.
    """

    sequences: Sequences
    kept_users: Bools
    in_valid: Bools
    in_test: Bools

    def audit(self, split: Split) -> None:
        """Raise LeakError if a cold item is among the training items, or a target is not cold in its part."""
        cold = self.in_valid | self.in_test
        for part, items, wrong in (
            ("training", split.train_items, cold),
            ("validation", split.valid_items, ~self.in_valid),
            ("test", split.test_items, ~self.in_test),
        ):
            if wrong[items].any():
                item = self.sequences.item_ids[int(items[wrong[items]][0])]
                raise LeakError(
                    f"item '{item}' does not belong in {part} of a split by cold items",
                    hint="delete the artefact and run again",
                )


def cold_sequences(sequences: Sequences, settings: ColdItems) -> ColdSequences:
    """Choose the cold items, and each user's target and history."""
    in_test, in_valid = _cold(sequences.item_ids, settings)
    rows, users = np.arange(len(sequences.items)), sequences.users
    last_test = _last(sequences, in_test[sequences.items])
    last_valid = np.where(last_test < 0, _last(sequences, in_valid[sequences.items]), -1)
    target = np.maximum(last_test, last_valid)[users]
    warm = ~(in_test | in_valid)[sequences.items]
    kept = (rows == target) | (warm & ((rows < target) | (target < 0)))
    part = np.where(rows == last_test[users], 2, np.where(rows == last_valid[users], 1, 0))[kept]
    lengths = np.bincount(users[kept], minlength=sequences.num_users)
    staying = lengths > 0
    return ColdSequences(
        replace(
            sequences,
            user_ids=[user for user, stays in zip(sequences.user_ids, staying, strict=True) if stays],
            items=sequences.items[kept],
            offsets=np.concatenate([[0], np.cumsum(lengths[staying])]).astype(np.int64),
            orders=rows[kept] + part * PART,
        ),
        staying, in_valid, in_test,
    )  # fmt: skip


def _cold(item_ids: list[str], settings: ColdItems) -> tuple[Bools, Bools]:
    keys = [sha256(f"{settings.seed} {item}".encode()).digest() for item in item_ids]
    places = sorted(range(len(keys)), key=keys.__getitem__)
    count = max(1, round(settings.share * len(keys)))
    in_test, in_valid = np.zeros((2, len(keys)), dtype=bool)
    in_test[places[:count]] = True
    in_valid[places[count : 2 * count]] = True
    return in_test, in_valid


def _last(sequences: Sequences, marked: Bools) -> NDArray[np.int64]:
    """Return the last marked row of each user (num_users,); -1 without one."""
    rows = np.where(marked, np.arange(len(marked)), -1)
    return np.maximum.reduceat(rows, sequences.offsets[:-1])
