"""Prefixes against a loop over users and positions."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.data.prefixes import prefix_histories, prefix_names, prefix_owners
from grasp_bench.data.splits import TrainPart

HISTORIES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=5)
NOBODY = np.empty(0, dtype=np.int32)


def train_of(histories: list[list[int]]) -> TrainPart:
    items = np.array([item for history in histories for item in history], dtype=np.int32)
    offsets = np.concatenate([[0], np.cumsum([len(history) for history in histories])]).astype(np.int64)
    return TrainPart(len(histories), 10, items, offsets, NOBODY, NOBODY)


@given(HISTORIES)
def test_every_token_has_the_history_up_to_itself(histories):
    train = train_of(histories)
    items, offsets = prefix_histories(train)
    found = [items[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    expected = [*histories, *(history[: k + 1] for history in histories for k in range(len(history)))]
    assert found == expected
    owners = [*range(len(histories)), *(u for u, history in enumerate(histories) for _ in history)]
    assert prefix_owners(train).tolist() == owners


def test_prefixes_have_names_that_say_whose_they_are():
    assert prefix_names(["ann", "bob"], train_of([[1, 2], [3]])) == [
        "ann", "bob", "ann (first 1 items)", "ann (first 2 items)", "bob (first 1 items)",
    ]  # fmt: skip
