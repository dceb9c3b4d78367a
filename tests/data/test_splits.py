"""Leave-one-out, its files and its audit."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_histories import histories, sequences_of

from grasp_bench.core.errors import LeakError, StoreError
from grasp_bench.data import artefacts
from grasp_bench.data.audits.splits import audit
from grasp_bench.data.audits.titles import audit_scope
from grasp_bench.data.entities import nothing_known
from grasp_bench.data.splits import Split, leave_one_out

Lists = list[list[int]]


@given(histories)
def test_last_is_test_and_the_one_before_validation(lists: Lists) -> None:
    split = leave_one_out(sequences_of(lists))
    evaluated = [user for user, history in enumerate(lists) if len(history) >= 3]
    assert split.test_users.tolist() == split.valid_users.tolist() == evaluated
    assert split.test_items.tolist() == [lists[user][-1] for user in evaluated]
    assert split.valid_items.tolist() == [lists[user][-2] for user in evaluated]
    for user, history in enumerate(lists):
        expected = history[:-2] if len(history) >= 3 else history
        assert split.train_sequence(user).tolist() == expected
    arrays = (split.train_items, split.valid_users, split.valid_items, split.test_users, split.test_items)
    assert {array.dtype for array in arrays} == {np.dtype(np.int32)}
    assert split.train_offsets.dtype == np.int64


@given(histories)
def test_whole_history_is_what_was_split(lists: Lists) -> None:
    items, offsets = leave_one_out(sequences_of(lists)).whole_history()
    assert [items[a:b].tolist() for a, b in pairwise(offsets)] == lists


@given(histories)
def test_files_give_back_the_split(tmp_path_factory: pytest.TempPathFactory, lists: Lists) -> None:
    sequences = sequences_of(lists)
    split, out = leave_one_out(sequences), tmp_path_factory.mktemp("split")
    artefacts.write_split(out, split, sequences.user_ids, nothing_known(sequences.item_ids))
    found = artefacts.read_split(out)
    for field in dataclasses.fields(Split):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(split, field.name))
    assert artefacts.read_user_ids(out) == sequences.user_ids
    assert artefacts.read_item_ids(out) == sequences.item_ids


@pytest.fixture
def written(tmp_path: Path) -> Path:
    sequences = sequences_of([[0, 1, 2, 3], [4, 5, 6]])
    artefacts.write_split(
        tmp_path, leave_one_out(sequences), sequences.user_ids, nothing_known(sequences.item_ids)
    )
    return tmp_path


def test_training_reads_without_test(written: Path) -> None:
    (written / "test.parquet").unlink()
    train = artefacts.read_train(written)
    assert train.train_items.tolist() == [0, 1, 4]
    assert not hasattr(train, "test_items")
    with pytest.raises(StoreError, match=r"test\.parquet"):
        artefacts.read_test(written)


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        ([0, 0, 2], [0, 1, 2], "does not have"),
        ([0, 0, 1], [0, -1, 2], "does not have"),
        ([1, 0, 0], [0, 1, 2], "not sorted"),
    ],
)
def test_damaged_parts_are_refused(written: Path, users: list[int], items: list[int], message: str) -> None:
    schema = {"user": pl.Int32, "item": pl.Int32}
    pl.DataFrame({"user": users, "item": items}, schema=schema).write_parquet(written / "train.parquet")
    with pytest.raises(StoreError, match=message):
        artefacts.read_train(written)


def test_half_a_file_is_refused(written: Path) -> None:
    path = written / "valid.parquet"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StoreError, match="delete"):
        artefacts.read_train(written)


@given(histories)
def test_audit_passes_every_split_it_should(lists: Lists) -> None:
    sequences = sequences_of(lists)
    assert audit(leave_one_out(sequences), sequences) == sum(map(len, lists))


@given(histories, st.data())
def test_audit_catches_a_held_out_interaction_in_training(lists: Lists, data: st.DataObject) -> None:
    lists = [[0, 1, 2], *lists]
    sequences = sequences_of(lists)
    split = leave_one_out(sequences)
    row = data.draw(st.integers(0, len(split.test_users) - 1))
    user, target = int(split.test_users[row]), data.draw(st.sampled_from(["valid_items", "test_items"]))
    place = data.draw(st.integers(split.train_offsets[user], split.train_offsets[user + 1]))
    offsets = split.train_offsets.copy()
    offsets[user + 1 :] += 1
    item = getattr(split, target)[row]
    leaking = dataclasses.replace(
        split, train_items=np.insert(split.train_items, place, item), train_offsets=offsets
    )
    with pytest.raises(LeakError, match=f"user 'u{user}'") as caught:
        audit(leaking, sequences)
    assert "'i" in str(caught.value)


def test_audit_names_user_and_item() -> None:
    sequences = sequences_of([[0, 1, 2, 3]])
    split = leave_one_out(sequences)
    leaking = dataclasses.replace(
        split, train_items=np.array([0, 1, 3], dtype=np.int32), train_offsets=np.array([0, 3])
    )
    with pytest.raises(LeakError, match=r"user 'u0' has 4 .* hold 5: item 'i3'"):
        audit(leaking, sequences)


def test_audit_lets_repeats_be() -> None:
    sequences = sequences_of([[5, 5, 5, 5], [5, 6, 5]])
    assert audit(leave_one_out(sequences), sequences) == 7


def test_audit_catches_swapped_parts() -> None:
    sequences = sequences_of([[0, 1, 2, 3]])
    split = leave_one_out(sequences)
    swapped = dataclasses.replace(split, valid_items=split.test_items, test_items=split.valid_items)
    with pytest.raises(LeakError, match="user 'u0', item 'i2'"):
        audit(swapped, sequences)


def test_audit_catches_a_user_without_target() -> None:
    sequences = sequences_of([[0, 1, 2], [3, 4, 5]])
    split = leave_one_out(sequences)
    short = dataclasses.replace(split, test_users=split.test_users[:1], test_items=split.test_items[:1])
    with pytest.raises(LeakError, match="'u1' with 3 interactions has 0 test targets"):
        audit(short, sequences)


def test_audit_catches_time_going_back() -> None:
    sequences = dataclasses.replace(sequences_of([[0, 1, 2]]), orders=np.array([1, 5, 4]))
    with pytest.raises(LeakError, match="item 'i2': happened before"):
        audit(leave_one_out(sequences), sequences)


@pytest.mark.parametrize("scope", ["all", "train_and_validation"])
def test_audit_refuses_a_text_scope_beyond_training(scope: str) -> None:
    audit_scope("text.users", "train")
    with pytest.raises(LeakError, match=r"text\.items: made from"):
        audit_scope("text.items", scope)
