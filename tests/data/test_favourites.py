"""Favourite categories against collections.Counter."""

from __future__ import annotations

from collections import Counter

import numpy as np

from grasp_bench.data.favourites import NONE, favourite_categories
from grasp_bench.data.splits import TrainPart


def test_the_commonest_category_of_each_user() -> None:
    rng = np.random.default_rng(1)
    codes = rng.integers(-1, 5, 30)
    lengths = rng.integers(1, 12, 50)
    items = rng.integers(0, 30, int(lengths.sum())).astype(np.int32)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    nobody = np.empty(0, dtype=np.int32)
    found = favourite_categories(TrainPart(50, 30, items, offsets, nobody, nobody), codes)
    for user in range(50):
        mine = Counter(int(codes[i]) for i in items[offsets[user] : offsets[user + 1]] if codes[i] != NONE)
        most = max(mine.values(), default=0)
        assert found[user] == min((code for code, count in mine.items() if count == most), default=NONE)


def test_no_item_has_a_category() -> None:
    nobody = np.empty(0, dtype=np.int32)
    train = TrainPart(2, 3, np.array([0, 1], dtype=np.int32), np.array([0, 1, 2]), nobody, nobody)
    assert favourite_categories(train, np.full(3, NONE)).tolist() == [NONE, NONE]
