"""The split in time, against a transcription that goes through the interactions one by one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError, LeakError
from grasp_bench.data import artefacts
from grasp_bench.data.audits.splits import audit_in_time
from grasp_bench.data.card import card_of_dataset
from grasp_bench.data.entities import nothing_known
from grasp_bench.data.sequences import Sequences
from grasp_bench.data.splits import Split
from grasp_bench.data.temporal import Cuts, cuts_of, temporal, with_history
from grasp_bench.spec.dataset import Dataset, Protocol, Temporal

NUM_ITEMS = 9
# Few different times, so that there are ties at the cuts; a user's interactions in order.
timelines = st.lists(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, NUM_ITEMS - 1)), min_size=1, max_size=8).map(
        lambda rows: sorted(rows, key=lambda row: row[0])
    ),
    min_size=1,
    max_size=10,
)
cuts = st.tuples(st.integers(1, 12), st.integers(1, 12)).map(sorted)


def sequences_of(lists: list[list[tuple[int, int]]]) -> Sequences:
    rows = [row for history in lists for row in history]
    return Sequences(
        user_ids=[f"u{user}" for user in range(len(lists))],
        item_ids=[f"i{item}" for item in range(NUM_ITEMS)],
        items=np.array([item for _, item in rows], dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum([len(history) for history in lists])]).astype(np.int64),
        orders=np.array([time for time, _ in rows], dtype=np.int64),
    )


def divided(lists: list[list[tuple[int, int]]], first: float, second: float) -> tuple[Sequences, Split]:
    staying, _ = with_history(sequences_of(lists), Cuts(first, second))
    return staying, temporal(staying, Cuts(first, second))


@given(timelines, cuts)
def test_each_user_by_hand(lists: list[list[tuple[int, int]]], at: list[int]) -> None:
    first, second = at
    sequences, split = divided(lists, first, second)
    known, offsets = split.known()
    whole, whole_offsets = split.whole_history()
    staying = [history for history in lists if history[0][0] < first]
    assert sequences.user_ids == [f"u{u}" for u, history in enumerate(lists) if history[0][0] < first]
    valid, test = {}, {}
    for user, history in enumerate(staying):
        train = [item for time, item in history if time < first]
        window = [item for time, item in history if first <= time < second]
        later = [item for time, item in history if time >= second]
        if window:
            valid[user] = window[0]
        if later:
            test[user] = later[0]
        assert split.train_sequence(user).tolist() == train
        assert known[offsets[user] : offsets[user + 1]].tolist() == train + window
        assert whole[whole_offsets[user] : whole_offsets[user + 1]].tolist() == [item for _, item in history]
    assert dict(zip(split.valid_users.tolist(), split.valid_items.tolist(), strict=True)) == valid
    assert dict(zip(split.test_users.tolist(), split.test_items.tolist(), strict=True)) == test
    assert split.valid_users.tolist() == sorted(valid)
    assert split.num_items == NUM_ITEMS  # items that only occur later stay in the catalogue


@given(timelines, cuts)
def test_the_audit_lets_the_split_through_and_counts_it(
    lists: list[list[tuple[int, int]]], at: list[int]
) -> None:
    sequences, split = divided(lists, *at)
    staying = sum(len(history) for history in lists if history[0][0] < at[0])
    assert audit_in_time(split, sequences, Cuts(*at)) == staying


LISTS = [[(1, 0), (5, 1), (6, 2), (9, 3), (9, 4)], [(2, 5), (3, 6), (8, 7)], [(7, 8), (9, 0)]]


def test_the_audit_finds_training_after_the_cut() -> None:
    sequences, split = divided(LISTS, 5, 8)
    with pytest.raises(LeakError, match=r"user 'u0', item 'i1': at 5 it is not in training"):
        # The same parts as if the cut had been at 6: u0's interaction at 5 is in training.
        audit_in_time(temporal(sequences, Cuts(6, 8)), sequences, Cuts(5, 8))
    with pytest.raises(LeakError, match="is not in validation"):
        audit_in_time(temporal(sequences, Cuts(5, 9)), sequences, Cuts(5, 8))
    moved = dataclasses.replace(split, test_items=split.test_items[::-1])
    with pytest.raises(LeakError, match="is not where the history has it"):
        audit_in_time(moved, sequences, Cuts(5, 8))


def test_files_give_back_the_split_and_its_windows(tmp_path: Path) -> None:
    sequences, split = divided(LISTS, 5, 8)
    artefacts.write_split(tmp_path, split, sequences.user_ids, nothing_known(sequences.item_ids))
    found = artefacts.read_split(tmp_path)
    for name in ("valid_rest", "test_rest"):
        ours, theirs = getattr(split, name), getattr(found, name)
        assert (ours.users.tolist(), ours.items.tolist()) == (theirs.users.tolist(), theirs.items.tolist())
    assert (found.valid_rest.items.tolist(), found.test_rest.items.tolist()) == ([2], [4])
    np.testing.assert_array_equal(found.known()[0], split.known()[0])


@given(
    st.lists(st.integers(10**9, 10**9 + 30), min_size=8, max_size=60),
    st.floats(0.05, 0.4),
    st.floats(0.05, 0.4),
)
def test_shares_are_reached_and_ties_not_parted(times: list[int], valid: float, test: float) -> None:
    sequences = sequences_of([[(time, 0)] for time in times])
    shares = Temporal(valid_share=valid, test_share=test)
    ascending = sorted(times)
    first = ascending[int(np.floor(len(times) * (1 - (valid + test))))]
    second = ascending[int(np.floor(len(times) * (1 - test)))]
    if not ascending[0] < first < second:
        with pytest.raises(DataError, match="training or a window is empty"):
            cuts_of(sequences, "timestamp", shares, "toy")
        return
    found = cuts_of(sequences, "timestamp", shares, "toy")
    assert (found.valid_from, found.test_from) == (first, second)
    # At least the share, and no more than the ties at the border add.
    assert sum(time >= found.test_from for time in times) >= test * len(times) - 1e-9
    assert sum(time > found.test_from for time in times) <= test * len(times) + 1


def write(folder: Path, times: list[int | str]) -> str:
    rows = [(f"u{k % 4}", f"i{k % 5}", time) for k, time in enumerate(times)]
    folder.mkdir()
    pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row").write_csv(
        folder / "interactions.csv"
    )
    return str(folder)


DAYS = [f"2020-01-{day:02d}" for day in range(1, 25)]
SECONDS = [1_577_836_800 + 86_400 * day for day in range(24)]


@pytest.mark.parametrize(
    "times", [DAYS, SECONDS, [1000 * second for second in SECONDS]], ids=["dates", "s", "ms"]
)
def test_given_dates_are_read_in_the_unit_of_the_data(tmp_path: Path, times: list[int | str]) -> None:
    given = Temporal(valid_from="2020-01-11", test_from="2020-01-20T12:00")
    protocol = Protocol(split="temporal", temporal=given, negatives=1)
    card = card_of_dataset(Dataset(source=write(tmp_path / "data", times), protocol=protocol))
    assert card["training_interactions"] == 10
    told = card["temporal"]
    assert told["dates"] == ["2020-01-11 00:00 UTC", "2020-01-20 12:00 UTC"]
    assert told["interactions"] == {"training": 10, "validation_window": 10, "test_window": 4}


def test_the_card_counts_whom_the_cut_leaves_out_and_what_is_cold() -> None:
    sequences = sequences_of(LISTS)
    assert cuts_of(sequences, "t", Temporal(valid_from=5, test_from=8), "toy") == Cuts(5, 8)
    staying, kept = with_history(sequences, Cuts(5, 8))
    assert (staying.user_ids, kept.tolist()) == (["u0", "u1"], [True, True, False])


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"valid_from": "soon", "test_from": "2020-01-02"}, "'soon' is no date"),
        ({"valid_from": "2020-01-10", "test_from": "2020-01-05"}, "training or a window is empty"),
        ({"valid_from": "1999-01-01", "test_from": "2020-01-05"}, "training or a window is empty"),
    ],
)
def test_cuts_that_cannot_be_are_refused(tmp_path: Path, settings_: dict[str, str], message: str) -> None:
    protocol = Protocol(split="temporal", temporal=Temporal(**settings_))
    with pytest.raises(DataError, match=message):
        card_of_dataset(Dataset(source=write(tmp_path / "data", DAYS), protocol=protocol))


@pytest.mark.parametrize("name", ["amazon-beauty", "amazon-fashion", "goodreads"])
def test_datasets_without_times_are_named_with_their_column(data_root: Path, name: str) -> None:
    dataset = Dataset(source=str(data_root / name), protocol=Protocol(split="temporal"))
    with pytest.raises(DataError, match=f"{name}: split 'temporal' needs times, .* ordered by 'position'"):
        card_of_dataset(dataset)


def test_positions_by_another_name_are_no_times(tmp_path: Path) -> None:
    rows = [(f"u{u}", f"i{u + k}", k + 1) for u in range(4) for k in range(5)]
    path = tmp_path / "interactions.csv"
    pl.DataFrame(rows, schema=["user_id", "item_id", "step"], orient="row").write_csv(path)
    dataset = Dataset(source=str(path), columns={"order": "step"}, protocol=Protocol(split="temporal"))
    with pytest.raises(DataError, match="ordered by 'step'"):
        card_of_dataset(dataset)


def test_movielens_against_polars(data_root: Path) -> None:
    folder = data_root / "movielens-small"
    card = card_of_dataset(Dataset(source=str(folder), protocol=Protocol(split="temporal")))
    rows = pl.read_csv(folder / "interactions.csv")
    told = card["temporal"]
    first, second = told["valid_from"], told["test_from"]
    by_user = rows.group_by("user_id").agg(
        (pl.col("timestamp") < first).sum().alias("train"),
        pl.col("timestamp").is_between(first, second, closed="left").sum().alias("valid"),
        (pl.col("timestamp") >= second).sum().alias("test"),
    )
    staying = by_user.filter(pl.col("train") > 0)
    assert card["users"] == staying.height == 610 - told["users_without_history"]
    assert card["evaluated_users"] == staying.filter(pl.col("test") > 0).height
    assert told["validated_users"] == staying.filter(pl.col("valid") > 0).height
    assert told["interactions"]["training"] == rows.filter(pl.col("timestamp") < first).height
    seen = rows.filter(pl.col("timestamp") < first)["item_id"].n_unique()
    assert told["cold_items"] == rows["item_id"].n_unique() - seen
