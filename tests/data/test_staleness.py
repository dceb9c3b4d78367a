"""Histories some interactions ago, against plain slices."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.data.staleness import made_anew, some_ago, staleness_facts

histories = st.lists(st.lists(st.integers(0, 99), max_size=8), max_size=8)


def flat(told: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    items = np.array([item for each in told for item in each], dtype=np.int32)
    return items, np.cumsum([0, *map(len, told)], dtype=np.int64)


@given(histories, st.integers(0, 9))
def test_the_latest_are_left_out_and_the_oldest_stays(told: list[list[int]], stale: int) -> None:
    items, offsets = some_ago(*flat(told), stale)
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
    made = made_anew(flat(told)[1], stale).tolist()
    assert len(made) == sum(map(len, told))
    for length in map(len, told):
        mine, made = made[:length], made[length:]
        age = -1
        for now in mine:
            age = 0 if now else age + 1
            assert 0 <= age <= stale
        assert sum(mine) == -(-length // (stale + 1))
