"""The coverage audit on goodreads: GPT-3.5's profiles, and texts of known making from the same histories."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from grasp_bench.core.errors import LeakError
from grasp_bench.data.audits.coverage import audit_coverage, describe_items
from grasp_bench.data.prepare import prepare
from grasp_bench.data.splits import Split, history_within, leave_one_out
from grasp_bench.spec.dataset import Dataset

FEW = 4000  # users: enough to judge, quick to read


@dataclass(frozen=True)
class Books:
    """A part of goodreads: split, all that is said of items, titles, and the users' profiles."""

    split: Split
    items: list[str]
    titles: list[str]
    profiles: list[str]


@pytest.fixture(scope="module")
def books(data_root: Path) -> Books:
    prepared = prepare(Dataset(source=str(data_root / "goodreads")))
    sequences = prepared.sequences
    with (data_root / "goodreads" / "user_profiles.jsonl").open() as stream:
        profiles = {str(row["user_id"]): row["text"] for row in map(json.loads, stream)}
    whole = leave_one_out(sequences)
    chosen = np.sort(np.random.default_rng(0).choice(whole.test_users, FEW, replace=False))
    held = np.isin(whole.test_users, chosen)
    # All histories stay, for they make the controls; only some users are evaluated.
    split = Split(
        whole.num_users, whole.num_items, whole.train_items, whole.train_offsets,
        whole.valid_users[held], whole.valid_items[held], whole.test_users[held], whole.test_items[held],
    )  # fmt: skip
    texts = [profiles[user] for user in sequences.user_ids]
    titles = [title or "" for title in prepared.items["title"].to_list()]
    return Books(split, describe_items(prepared.items), titles, texts)


def told(books: Books, scope: str, share: float) -> list[str]:
    """Titles of a history, each with a chance of `share`."""
    items, offsets = history_within(books.split, scope)
    rng = np.random.default_rng(1)
    return [
        "; ".join(books.titles[item] for item in items[start:end] if rng.random() < share)
        for start, end in pairwise(offsets)
    ]


def test_profiles_cover_test_items(books: Books) -> None:
    audit = audit_coverage(books.profiles, books.split, books.items)
    test = audit.parts["test"]
    assert test.flagged
    assert test.held_out > 10 * test.control  # words of one item, told ten times as often as taste would
    assert 0.15 < test.low < test.high < 0.5
    with pytest.raises(LeakError, match="so the texts were made from more than the training part"):
        audit.refuse_if_flagged("text.users")


def test_profiles_of_other_users_cover_nothing(books: Books) -> None:
    dealt = np.random.default_rng(2).permutation(len(books.profiles))
    audit = audit_coverage([books.profiles[user] for user in dealt], books.split, books.items)
    assert not audit.flagged
    assert audit.parts["test"].held_out < 0.02


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_titles_of_training_are_let_through(books: Books, share: float) -> None:
    audit = audit_coverage(told(books, "train", share), books.split, books.items)
    assert not audit.flagged
    assert audit.parts["test"].high < 0.05


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_titles_of_whole_histories_are_not(books: Books, share: float) -> None:
    test = audit_coverage(told(books, "all", share), books.split, books.items).parts["test"]
    assert test.flagged
    assert test.low <= 1.03  # the test item is told as training items are
    assert test.high >= 0.97


def test_the_validation_item_alone(books: Books) -> None:
    audit = audit_coverage(told(books, "train_and_validation", 1.0), books.split, books.items)
    assert audit.parts["validation"].flagged
    assert not audit.parts["test"].flagged
