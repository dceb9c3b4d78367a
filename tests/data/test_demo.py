"""The demo dataset: deterministic, plainly synthetic, and with signal in its text."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from grasp_bench.components import DATASETS
from grasp_bench.data import demo
from grasp_bench.data.prepare import prepare
from grasp_bench.spec.dataset import Dataset
from grasp_bench.testing import check_dataset


def test_same_every_time() -> None:
    assert_frame_equal(demo.items(), demo.items.__wrapped__())
    assert_frame_equal(demo.interactions(), demo.interactions.__wrapped__())


def test_sizes_and_names() -> None:
    prepared = prepare(Dataset(source="demo", repair={"unsorted": "refuse", "time_ties": "refuse"}))
    lengths = prepared.sequences.lengths
    assert (prepared.sequences.num_users, prepared.sequences.num_items) == (1500, 600)
    assert (lengths.min(), lengths.max()) == (5, 30)
    assert all(name.startswith("demo-") for name in prepared.sequences.user_ids + prepared.sequences.item_ids)
    assert prepared.items["title"].n_unique() == 600
    assert prepared.items["title"].null_count() == 0
    assert 0.15 < prepared.items["brand"].null_count() / 600 < 0.35


def test_popularity_is_skewed_with_a_long_tail() -> None:
    counts = np.sort(np.bincount(prepare(Dataset(source="demo")).sequences.items))[::-1]
    assert counts[:120].sum() > 0.35 * counts.sum()
    assert np.median(counts) < counts.mean()


def test_the_next_item_shares_words_with_the_history() -> None:
    prepared = prepare(Dataset(source="demo"))
    words = [set(title.lower().replace(",", "").split()) for title in prepared.items["title"]]
    offsets, items = prepared.sequences.offsets, prepared.sequences.items
    rng = np.random.default_rng(0)

    def shared(user: int, target: int) -> int:
        history = items[offsets[user] : offsets[user + 1] - 1]
        return max(len((words[target] - {"design"}) & words[item]) for item in history)

    own = np.mean([shared(user, items[offsets[user + 1] - 1]) for user in range(300)])
    other = np.mean([shared(user, int(rng.integers(600))) for user in range(300)])
    assert own > other + 1


def test_columns_of_a_spec_do_not_matter_to_generated_data() -> None:
    prepared = prepare(Dataset(source="demo", columns={"user": "reviewerID"}))
    assert prepared.sequences.num_users == 1500
    assert isinstance(prepared.items, pl.DataFrame)


@pytest.mark.parametrize("name", DATASETS.names())
def test_registered_datasets_keep_the_contract(name: str) -> None:
    check_dataset(name)
