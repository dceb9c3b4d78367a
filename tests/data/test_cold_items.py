"""The split by cold items, against a transcription that goes through each user's interactions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError, LeakError
from grasp_bench.data.card import card_of_dataset
from grasp_bench.data.cold_items import cold_sequences
from grasp_bench.data.prepare import prepare
from grasp_bench.data.sequences import Sequences
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.spec.dataset import ColdItems, Dataset

NUM_ITEMS = 9
lists = st.lists(
    st.lists(st.integers(0, NUM_ITEMS - 1), min_size=1, max_size=8), min_size=1, max_size=8
)  # fmt: skip


def sequences_of(histories: list[list[int]]) -> Sequences:
    return Sequences(
        user_ids=[f"u{user}" for user in range(len(histories))],
        item_ids=[f"i{item}" for item in range(NUM_ITEMS)],
        items=np.array([item for history in histories for item in history], dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum([len(history) for history in histories])]).astype(np.int64),
        orders=np.array([place for history in histories for place in range(len(history))], dtype=np.int64),
    )


@given(lists, st.integers(0, 5))
def test_each_user_by_hand(histories: list[list[int]], seed: int) -> None:
    found = cold_sequences(sequences_of(histories), ColdItems(share=0.2, seed=seed))
    test, valid = (set(np.flatnonzero(mask)) for mask in (found.in_test, found.in_valid))
    assert len(test) == len(valid) == 2
    assert not test & valid
    expected = []
    for user, history in enumerate(histories):
        places = [
            max((p for p, item in enumerate(history) if item in cold), default=None) for cold in (test, valid)
        ]
        part, place = next(((2 - k, p) for k, p in enumerate(places) if p is not None), (0, len(history)))
        warm = [(item, 0) for item in history[:place] if item not in test | valid]
        rows = warm + ([(history[place], part)] if part else [])
        if rows:
            expected.append((f"u{user}", rows))
    sequences = found.sequences
    got = []
    for user, name in enumerate(sequences.user_ids):
        part = slice(sequences.offsets[user], sequences.offsets[user + 1])
        got.append((name, list(zip(sequences.items[part], sequences.orders[part] >> 40, strict=True))))
    assert got == expected
    assert (np.diff(sequences.orders)[np.diff(sequences.users) == 0] > 0).all()


def dataset(folder: Path, share: float = 0.2) -> Dataset:
    rows = [f"{user},{(user * 7 + step * step) % 23},{step}" for user in range(40) for step in range(6)]
    (folder / "interactions.csv").write_text("user_id,item_id,position\n" + "\n".join(rows) + "\n")
    return Dataset(source=str(folder), protocol={"split": "cold_items", "cold_items": {"share": share}})


def test_no_target_is_in_training_and_the_card_says_so(tmp_path: Path) -> None:
    asked = dataset(tmp_path)
    result = split_by_protocol(prepare(asked), asked.protocol)
    split = result.split
    assert len(split.test_items)
    assert len(split.valid_items)
    assert not np.isin(split.train_items, np.concatenate([split.test_items, split.valid_items])).any()
    assert not np.isin(split.test_users, split.valid_users).any()
    assert result.check(split) == len(split.train_items) + len(split.test_items) + len(split.valid_items)
    card = card_of_dataset(asked)
    assert card["unseen_targets"] == 1.0
    assert any("IDs alone guesses" in line for line in card["warnings"])


def test_a_cold_item_in_training_is_a_leak(tmp_path: Path) -> None:
    asked = dataset(tmp_path)
    result = split_by_protocol(prepare(asked), asked.protocol)
    result.split.train_items[0] = result.split.test_items[0]
    with pytest.raises(LeakError, match="does not belong in training of a split by cold items"):
        result.check(result.split)


def test_a_share_without_targets_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"a,{step},{step}\n" for step in range(3))
    (tmp_path / "interactions.csv").write_text(f"user_id,item_id,position\n{rows}")
    asked = Dataset(source=str(tmp_path), protocol={"split": "cold_items"})
    with pytest.raises(DataError, match="no user has a cold"):
        split_by_protocol(prepare(asked), asked.protocol)
