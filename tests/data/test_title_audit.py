"""Held-out titles in user texts."""

from __future__ import annotations

import numpy as np
import pytest
from integer_histories import sequences_of

from grasp_bench.core.errors import DataError, LeakError
from grasp_bench.data.audits.titles import audit_user_texts
from grasp_bench.data.splits import leave_one_out

TITLES = [f"the book of {word}" for word in ("owls", "bees", "elks", "rays", "cats", "dogs", "ants", "hens")]
SPLIT = leave_one_out(sequences_of([[0, 1, 2, 3], [4, 5, 6, 7]], num_items=8))
HELD_OUT = (SPLIT.test_users, SPLIT.test_items)


def test_a_held_out_title_is_found() -> None:
    texts = ["likes The Book  of\nRAYS", "likes the book of cats"]
    audit = audit_user_texts(texts, SPLIT, TITLES, HELD_OUT)
    assert (audit.checked, audit.found) == (2, 1)
    assert audit.examples == ((0, "the book of rays"),)
    assert audit.rate == 0.5
    assert not audit.gross


def test_titles_that_training_explains_are_no_finding() -> None:
    titles = [*TITLES]
    titles[0] = "the book of rays and sharks"
    texts = ["likes the book of rays and sharks", ""]
    audit = audit_user_texts(texts, SPLIT, titles, HELD_OUT)
    assert (audit.checked, audit.found) == (1, 0)


def test_short_and_missing_titles_say_nothing() -> None:
    titles = [None, None, None, "rays", None, None, None, None]
    audit = audit_user_texts(["rays", "rays"], SPLIT, titles, HELD_OUT)
    assert (audit.checked, audit.found, audit.rate, audit.chance_rate) == (0, 0, 0.0, 0.0)


def test_texts_from_the_whole_history_are_gross() -> None:
    rng = np.random.default_rng(0)
    lists = rng.integers(0, 1000, (300, 6)).tolist()
    titles = [f"volume number {item:04d}" for item in range(1000)]
    split = leave_one_out(sequences_of(lists, 1000))
    held_out = (split.test_users, split.test_items)
    ids = [f"u{user}" for user in range(300)]
    leaking = ["; ".join(titles[item] for item in history) for history in lists]
    audit = audit_user_texts(leaking, split, titles, held_out)
    assert audit.rate > 0.95
    assert audit.chance_rate < 0.05
    with pytest.raises(LeakError, match=r"text\.users: .* texts name a held-out item"):
        audit.refuse_if_gross("text.users", ids)
    honest = ["; ".join(titles[item] for item in history[:-2]) for history in lists]
    clean = audit_user_texts(honest, split, titles, held_out)
    assert clean.found == 0
    clean.refuse_if_gross("text.users", ids)


def test_generic_texts_are_at_chance() -> None:
    """Everybody's text names everything: as many strangers' titles as own ones."""
    texts = ["; ".join(TITLES)] * 2
    audit = audit_user_texts(texts, SPLIT, TITLES, HELD_OUT)
    assert audit.found == audit.chance
    assert not audit.gross


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="1 texts and 8 titles for 2 users and 8 items"):
        audit_user_texts([""], SPLIT, TITLES, HELD_OUT)
