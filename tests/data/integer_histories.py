"""Histories for the tests of this folder."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from grasp_bench.data.sequences import Sequences

NUM_ITEMS = 12

histories = st.lists(st.lists(st.integers(0, NUM_ITEMS - 1), min_size=1, max_size=8), min_size=1, max_size=12)


def sequences_of(lists: list[list[int]], num_items: int = NUM_ITEMS) -> Sequences:
    """Numbered sequences as given, ordered by position."""
    lengths = [len(history) for history in lists]
    return Sequences(
        user_ids=[f"u{user}" for user in range(len(lists))],
        item_ids=[f"i{item}" for item in range(num_items)],
        items=np.array([item for history in lists for item in history], dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        orders=np.concatenate([np.arange(length) for length in lengths]),
    )
