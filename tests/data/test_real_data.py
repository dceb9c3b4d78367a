"""Facts of the real datasets, as their README states them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from grasp_bench.core.errors import LeakError
from grasp_bench.data.audits.splits import audit
from grasp_bench.data.audits.titles import audit_scope, audit_user_texts
from grasp_bench.data.card import card_of
from grasp_bench.data.groups import head_items, head_users, item_counts
from grasp_bench.data.prepare import prepare
from grasp_bench.data.splits import Split, leave_one_out
from grasp_bench.spec.dataset import Dataset, Groups

FACTS = {
    "amazon-beauty": (22_363, 12_101, 198_502),
    "amazon-fashion": (9_094, 4_722, 34_759),
    "movielens-small": (610, 9_724, 100_836),
}


@pytest.mark.parametrize("name", sorted(FACTS))
def test_counts_and_audit(data_root: Path, name: str) -> None:
    prepared = prepare(Dataset(source=str(data_root / name)))
    sequences = prepared.sequences
    assert (sequences.num_users, sequences.num_items, len(sequences.items)) == FACTS[name]
    assert audit(leave_one_out(sequences), sequences) == FACTS[name][2]


def test_beauty_is_its_own_five_core_with_seven_empty_titles(data_root: Path) -> None:
    prepared = prepare(Dataset(source=str(data_root / "amazon-beauty"), min_user=5, min_item=5))
    card = card_of(prepared, leave_one_out(prepared.sequences))
    assert card["filtered"]["interactions_left_out"] == 0
    assert card["missing_titles"] == 7
    assert round(card["items_with_text"]["brand"] / card["items"], 2) == 0.62
    assert card["lengths"]["min"] == 5
    assert card["repeat_targets"] == 0


def test_fashion_repeats_and_clones(data_root: Path) -> None:
    prepared = prepare(Dataset(source=str(data_root / "amazon-fashion"), min_user=3, min_item=2))
    split = leave_one_out(prepared.sequences)
    card = card_of(prepared, split)
    assert round(card["repeat_targets"], 2) == 0.22
    assert round(card["cloned_users"]["ten_or_more"], 2) == 0.30
    assert card["filtered"]["interactions_left_out"] == 0
    # Its ids were given from 1 in order of first appearance, after the same filter.
    assert prepared.sequences.user_ids == [str(k) for k in range(1, 9_095)]
    assert prepared.sequences.item_ids == [str(k) for k in range(1, 4_723)]


def test_fashion_groups_of_the_paper(data_root: Path) -> None:
    lines = (data_root / "amazon-fashion" / "interactions.csv").read_text().splitlines()[1:]
    lengths = np.bincount([int(line.split(",")[0]) for line in lines])[1:]
    occurrences = np.bincount([int(line.split(",")[1]) for line in lines])[1:]
    split = _split(data_root / "amazon-fashion")
    groups = Groups(rule="threshold", head_user_from=3, head_item_from=4, count_on="all")
    np.testing.assert_array_equal(head_users(split, groups), lengths - 1 >= 3)
    np.testing.assert_array_equal(head_items(item_counts(split, groups), groups), occurrences >= 4)


def test_goodreads_counts_before_short_users_are_left_out(data_root: Path) -> None:
    prepared = prepare(Dataset(source=str(data_root / "goodreads")))
    assert prepared.filtered["interactions_read"] == 180_240
    assert prepared.filtered["users_left_out"] + prepared.sequences.num_users == 23_089
    assert prepared.filtered["items_left_out"] + prepared.sequences.num_items == 15_441


def test_goodreads_profiles_fail_by_their_scope(data_root: Path) -> None:
    prepared = prepare(Dataset(source=str(data_root / "goodreads")))
    split = leave_one_out(prepared.sequences)
    with (data_root / "goodreads" / "user_profiles.jsonl").open() as stream:
        profiles = {str(row["user_id"]): row["text"] for row in map(json.loads, stream)}
    texts = [profiles.get(user, "") for user in prepared.sequences.user_ids]
    titles = prepared.items["title"].to_list()
    held_out = (split.test_users, split.test_items)
    with pytest.raises(LeakError, match="held-out"):
        audit_scope("text.users", "all")
    found = audit_user_texts(texts, split, titles, held_out)
    assert found.checked > 10_000
    # The profiles name held-out books far more often than luck explains …
    assert found.deviations > 5
    # … but of one user in 500, which a good guesser may reach: see test_coverage_of_profiles.py.
    assert not found.gross


def test_movielens_times_are_ordered_and_tied(data_root: Path) -> None:
    prepared = prepare(Dataset(source=str(data_root / "movielens-small")))
    lines = (data_root / "movielens-small" / "interactions.csv").read_text().splitlines()[1:]
    pairs = [(line.split(",")[0], line.split(",")[3]) for line in lines]
    assert prepared.order == "timestamp"
    assert prepared.repairs["time_ties"] == len(pairs) - len(set(pairs))


def test_every_format_gives_the_same_split(data_root: Path, tmp_path: Path) -> None:
    source = data_root / "amazon-fashion" / "interactions.csv"
    frame = pl.read_csv(source, infer_schema=False).with_columns(pl.col("position").cast(pl.Int64))
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(source.read_bytes(), 1))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes(), 1))
    expected = _split(source)
    for name in ("a.parquet", "a.jsonl", "a.csv.gz", "b.jsonl.gz"):
        split = _split(tmp_path / name)
        np.testing.assert_array_equal(split.train_items, expected.train_items)
        np.testing.assert_array_equal(split.test_items, expected.test_items)


def _split(path: Path) -> Split:
    return leave_one_out(prepare(Dataset(source=str(path))).sequences)
