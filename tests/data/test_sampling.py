from __future__ import annotations

import polars as pl
import pytest

from grasp_bench.data.prepare import prepare
from grasp_bench.data.sampling import sampled_users
from grasp_bench.data.sequences import Sequences
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import locate

IDS = pl.Series("user", [f"u{k}" for k in range(200)] * 3)


def test_a_sample_depends_on_ids_alone_and_smaller_ones_are_parts_of_larger():
    ten = set(sampled_users(IDS, 10).to_list())
    assert len(ten) == 10
    assert set(sampled_users(IDS.reverse(), 10).to_list()) == ten
    assert ten < set(sampled_users(IDS, 50).to_list())


def test_a_sample_larger_than_the_data_is_everybody():
    assert set(sampled_users(IDS, 10_000).to_list()) == set(IDS.to_list())


def history(sequences: Sequences, user: int) -> list[str]:
    items = sequences.items[sequences.offsets[user] : sequences.offsets[user + 1]]
    return [sequences.item_ids[item] for item in items]


@pytest.mark.parametrize("count", [5, 40])
def test_a_dataset_keeps_so_many_users_with_their_whole_histories_and_says_so(count):
    whole, sample = prepare(Dataset(source="demo")), prepare(Dataset(source="demo", sample_users=count))
    assert sample.sequences.num_users == count
    named = dict(zip(whole.sequences.user_ids, range(whole.sequences.num_users), strict=True))
    for row, user in enumerate(sample.sequences.user_ids):
        assert history(sample.sequences, row) == history(whole.sequences, named[user])
    assert locate(Dataset(source="demo", sample_users=count)).name == f"demo (sample of {count} users)"
