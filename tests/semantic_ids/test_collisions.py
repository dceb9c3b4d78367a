"""Policies of collisions on tables made by hand."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError
from grasp_bench.semantic_ids.base import Quantised
from grasp_bench.semantic_ids.collisions import (
    POLICIES,
    extra_level,
    groups_of_alike,
    keep,
    nearest_free,
    place_among_alike,
)
from grasp_bench.spec.section import SemanticIdSettings

CODES = [[1, 2], [0, 0], [1, 2], [1, 0], [0, 0], [1, 2]]


def quantised(codes: list[list[int]], left: list[float] | None = None, last: list[float] | None = None):
    """Codes, and what the last level quantised with its centres, on a line."""
    return Quantised(
        torch.tensor(codes),
        None,
        None if left is None else torch.tensor(left)[:, None],
        None if last is None else torch.tensor(last)[:, None],
    )


def test_every_policy_of_the_spec_is_there() -> None:
    field = SemanticIdSettings.model_fields["collisions"]
    assert set(POLICIES) == set(field.annotation.__args__)  # type: ignore[union-attr]


def test_keep_changes_nothing() -> None:
    codes, sizes = keep(quantised(CODES), 4)
    assert (codes.tolist(), sizes) == (CODES, (4, 4))


def test_an_extra_level_counts_items_of_equal_codes_in_their_order() -> None:
    codes, sizes = extra_level(quantised(CODES), 4)
    assert codes.tolist() == [[1, 2, 0], [0, 0, 0], [1, 2, 1], [1, 0, 0], [0, 0, 1], [1, 2, 2]]
    assert sizes == (4, 4, 3)


def test_an_extra_level_without_collisions_has_one_code() -> None:
    codes, sizes = extra_level(quantised([[0, 1], [1, 0]]), 2)
    assert (codes.tolist(), sizes) == ([[0, 1, 0], [1, 0, 0]], (2, 2, 1))


def test_the_best_fitting_item_stays_and_others_take_the_nearest_free_code() -> None:
    """Centres at 0, 1, 2, 10. Items 0 to 2 share (0, 1), item 2 fits best; item 3 has (0, 2) alone; item 4
    has another prefix, where the code 0 that item 0 wants is taken, too, but by nobody of its own prefix."""
    codes = [[0, 1], [0, 1], [0, 1], [0, 2], [1, 0]]
    left = [0.6, 1.4, 1.1, 2.0, 0.0]
    found, sizes = nearest_free(quantised(codes, left, [0.0, 1.0, 2.0, 10.0]), 4)
    # Item 1 wants 2, which item 3 has, then 0, which item 0 took before it.
    assert found.tolist() == [[0, 0], [0, 3], [0, 1], [0, 2], [1, 0]]
    assert sizes == (4, 4)
    assert codes == [[0, 1], [0, 1], [0, 1], [0, 2], [1, 0]]


def test_a_code_that_another_crowd_keeps_is_not_free() -> None:
    codes = [[5, 0], [5, 0], [5, 1], [5, 1]]
    found, _ = nearest_free(quantised(codes, [0.0, 0.4, 1.0, 0.9], [0.0, 1.0, 3.0, 9.0]), 6)
    assert found.tolist() == [[5, 0], [5, 2], [5, 1], [5, 3]]


def test_codes_without_a_centre_come_last() -> None:
    codes = [[0, 0]] * 4
    found, _ = nearest_free(quantised(codes, [0.0, 0.1, 0.2, 0.3], [0.0, 7.0]), 5)
    assert found.tolist() == [[0, 0], [0, 1], [0, 2], [0, 3]]


def test_codes_that_stand_for_nothing_are_tried_in_order_and_around() -> None:
    found, _ = nearest_free(quantised([[0, 2], [0, 2], [0, 2], [0, 3]]), 5)
    assert found.tolist() == [[0, 2], [0, 4], [0, 0], [0, 3]]


def test_one_level_alone() -> None:
    found, _ = nearest_free(quantised([[1], [1], [0]]), 3)
    assert found.tolist() == [[1], [2], [0]]


def test_a_full_prefix_is_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match="more than 2 items share the codes before the last level") as told:
        nearest_free(quantised([[0, 0], [0, 1], [0, 1], [1, 0]]), 2)
    assert "extra_level" in str(told.value.hint)
    full, _ = nearest_free(quantised([[0, 0], [0, 0], [1, 0]]), 2)
    assert full.tolist() == [[0, 0], [0, 1], [1, 0]]


tables = st.integers(1, 3).flatmap(
    lambda levels: st.lists(st.lists(st.integers(0, 3), min_size=levels, max_size=levels), min_size=1)
)


@given(tables)
def test_groups_and_places_by_counting(codes: list[list[int]]) -> None:
    seen: Counter[tuple[int, ...]] = Counter()
    members: dict[tuple[int, ...], list[int]] = {}
    places = []
    for item, each in enumerate(map(tuple, codes)):
        places.append(seen[each])
        seen[each] += 1
        members.setdefault(each, []).append(item)
    assert place_among_alike(torch.tensor(codes)).tolist() == places
    assert sorted(groups_of_alike(torch.tensor(codes))) == sorted(members.values())
    apart, sizes = extra_level(quantised(codes), 4)
    assert len({tuple(each) for each in apart.tolist()}) == len(codes)
    assert all(code < size for each in apart.tolist() for code, size in zip(each, sizes, strict=True))


@given(tables)
def test_with_room_nearest_free_tells_all_items_apart_and_keeps_prefixes(codes: list[list[int]]) -> None:
    found = nearest_free(quantised(codes), 200)[0].tolist()
    assert len({tuple(each) for each in found}) == len(codes)
    assert [each[:-1] for each in found] == [each[:-1] for each in codes]
    alone = [item for item, each in enumerate(codes) if codes.count(each) == 1]
    assert [found[item] for item in alone] == [codes[item] for item in alone]
