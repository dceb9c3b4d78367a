"""Profiles of earlier histories, against plain slices and loops over positions."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.data.profile_age import (
    prefix_histories,
    prefix_names,
    prefix_owners,
    remade_at,
    staleness_facts,
    without_latest,
)
from grasp_bench.data.splits import TrainPart

histories = st.lists(st.lists(st.integers(0, 99), max_size=8), max_size=8)

HISTORIES = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=5)
NOBODY = np.empty(0, dtype=np.int32)


def flat(told: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    items = np.array([item for each in told for item in each], dtype=np.int32)
    return items, np.cumsum([0, *map(len, told)], dtype=np.int64)


@given(histories, st.integers(0, 9))
def test_the_latest_are_left_out_and_the_oldest_stays(told: list[list[int]], stale: int) -> None:
    items, offsets = without_latest(*flat(told), stale)
    found = [items[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    assert found == [each[: max(len(each) - stale, 1)] for each in told]


@given(histories, st.integers(0, 9))
def test_what_is_left_out_is_counted(told: list[list[int]], stale: int) -> None:
    left = [len(each) - len(each[: max(len(each) - stale, 1)]) for each in told]
    assert staleness_facts(flat(told)[1], stale) == {
        "interactions": stale,
        "left_out": sum(left),
        "oldest_kept": sum(1 for each in told if each and len(each) - stale < 1),
    }


@given(histories, st.integers(0, 9))
def test_no_profile_is_older_than_it_may_be(told: list[list[int]], stale: int) -> None:
    made = remade_at(flat(told)[1], stale).tolist()
    assert len(made) == sum(map(len, told))
    for length in map(len, told):
        mine, made = made[:length], made[length:]
        age = -1
        for now in mine:
            age = 0 if now else age + 1
            assert 0 <= age <= stale
        assert sum(mine) == -(-length // (stale + 1))


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
