"""Samples of large catalogues: every k-th entity, each with its own history."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import pytest

from grasp_bench.stages import quotation
from grasp_bench.stages.quotation import sample_evenly
from grasp_bench.text.providers import Entities

HISTORIES = [[0, 1], [2], [], [3, 0, 1], [4], [2, 2], [1]]


def subjects(side: Literal["users", "items"], users: pl.DataFrame | None = None) -> Entities:
    items = pl.DataFrame({"item_id": [f"i{k}" for k in range(5)], "title": list("abcde")})
    ids = [f"u{k}" for k in range(len(HISTORIES))] if side == "users" else items["item_id"].to_list()
    flat = np.asarray([item for history in HISTORIES for item in history])
    offsets = np.cumsum([0, *map(len, HISTORIES)])
    return Entities(side, ids, items, flat, offsets, users)


def test_few_are_left_alone() -> None:
    whole = subjects("users")
    assert sample_evenly(whole) == (whole, 1)


@pytest.mark.parametrize("most", [1, 2, 3, 4, 6])
def test_users_keep_their_own_histories(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotation, "SAMPLE", most)
    people = pl.DataFrame({"user_id": [f"u{k}" for k in range(7)], "age": range(7)})
    few, step = sample_evenly(subjects("users", people))
    kept = list(range(0, 7, step))
    assert len(kept) <= most
    assert list(few.ids) == [f"u{k}" for k in kept]
    assert [few.history(k).tolist() for k in range(len(kept))] == [HISTORIES[k] for k in kept]
    assert few.users is not None
    assert few.users["age"].to_list() == kept
    assert few.items.height == 5  # histories name them by row


def test_items_keep_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotation, "SAMPLE", 3)
    few, step = sample_evenly(subjects("items"))
    assert step == 2
    assert few.items["title"].to_list() == ["a", "c", "e"]
    assert list(few.ids) == ["i0", "i2", "i4"]
