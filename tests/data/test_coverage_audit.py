"""The coverage audit on texts whose making is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from integer_histories import sequences_of

from grasp_bench.core.errors import DataError, LeakError
from grasp_bench.data.audits.coverage import audit_coverage, describe_items
from grasp_bench.data.splits import Split, leave_one_out

USERS, ITEMS, TASTES = 1500, 600, 20
GENRES = [f"genre{chr(97 + k)}word" for k in range(TASTES)]


def _word(number: int) -> str:
    """A made-up word of letters alone, another one for each number."""
    letters = ""
    for _ in range(5):
        number, rest = divmod(number, 26)
        letters += chr(97 + rest)
    return letters


# An item tells its genre, which a thirtieth of the catalogue shares, a word of its series (three items), and
# two words of its own.
ITEM_TEXTS = [
    f"{GENRES[item % TASTES]} {_word(1000 + item // 3)} {_word(5000 + 2 * item)} {_word(5001 + 2 * item)}"
    for item in range(ITEMS)
]


@pytest.fixture(scope="module")
def world() -> tuple[Split, list[list[int]]]:
    """Readers who keep to two genres: the held-out item resembles the training items."""
    rng = np.random.default_rng(3)
    lists = []
    for _ in range(USERS):
        likes = rng.choice(TASTES, 2, replace=False)
        shelf = [item for item in range(ITEMS) if item % TASTES in likes]
        lists.append(rng.choice(shelf, rng.integers(5, 10), replace=False).tolist())
    return leave_one_out(sequences_of(lists, ITEMS)), lists


def told(lists: list[list[int]], part: slice, tell: Callable[[list[int]], str]) -> list[str]:
    return [tell(history[part]) for history in lists]


def listing(items: list[int]) -> str:
    return "; ".join(ITEM_TEXTS[item] for item in items)


TRAIN, ALL = slice(None, -2), slice(None)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.2])
def test_texts_of_whole_histories_are_flagged(world: tuple[Split, list[list[int]]], share: float) -> None:
    split, lists = world
    rng = np.random.default_rng(0)
    texts = told(lists, ALL, lambda items: listing([item for item in items if rng.random() < share]))
    audit = audit_coverage(texts, split, ITEM_TEXTS)
    assert audit.flagged
    for part in audit.parts.values():
        # By construction each item of the history is told with probability `share`, controls never.
        assert part.training == pytest.approx(share, abs=0.03)
        assert part.held_out == pytest.approx(share, abs=0.05)
        assert part.control == 0
        assert part.low <= 1 <= part.high
    with pytest.raises(LeakError, match=r"text\.users: .* only the user's (validation|test) item explains"):
        audit.refuse_if_flagged("text.users")


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_texts_of_training_items_are_not(world: tuple[Split, list[list[int]]], share: float) -> None:
    split, lists = world
    rng = np.random.default_rng(0)
    texts = told(lists, TRAIN, lambda items: listing([item for item in items if rng.random() < share]))
    audit = audit_coverage(texts, split, ITEM_TEXTS)
    assert not audit.flagged
    assert audit.parts["test"].training == pytest.approx(share, abs=0.03)
    assert audit.parts["test"].held_out == 0
    assert audit.examples == ()
    audit.refuse_if_flagged("text.users")


def test_keywords_are_enough(world: tuple[Split, list[list[int]]]) -> None:
    split, lists = world
    rng = np.random.default_rng(0)

    def keywords(items: list[int]) -> str:
        return ", ".join(rng.choice(listing(items).replace(";", "").split(), 3))

    assert audit_coverage(told(lists, ALL, keywords), split, ITEM_TEXTS).flagged
    assert not audit_coverage(told(lists, TRAIN, keywords), split, ITEM_TEXTS).flagged


def test_a_model_that_knows_tastes_is_not_flagged(world: tuple[Split, list[list[int]]]) -> None:
    """Texts name items of the user's genres that the user may or may not read: taste, not knowledge."""
    split, lists = world
    rng = np.random.default_rng(0)

    def imagined(items: list[int]) -> str:
        likes = {item % TASTES for item in items}
        shelf = [item for item in range(ITEMS) if item % TASTES in likes]
        return listing(rng.choice(shelf, 12, replace=False).tolist())

    part = audit_coverage(told(lists, TRAIN, imagined), split, ITEM_TEXTS).parts["test"]
    assert not part.flagged
    assert part.held_out > 0.15  # a fifth of the shelf is named: a search for words alone would cry out
    assert part.held_out - part.control < 0.03


def test_texts_of_other_users_say_nothing(world: tuple[Split, list[list[int]]]) -> None:
    split, lists = world
    texts = told(lists, ALL, listing)
    shuffled = [texts[user] for user in np.random.default_rng(0).permutation(USERS)]
    assert not audit_coverage(shuffled, split, ITEM_TEXTS).flagged


def test_texts_of_one_held_out_part_alone(world: tuple[Split, list[list[int]]]) -> None:
    """Nothing is said of training items: there is no coverage to divide by, and a leak all the same."""
    split, lists = world
    audit = audit_coverage(told(lists, slice(-1, None), listing), split, ITEM_TEXTS)
    assert audit.parts["test"].flagged
    assert not audit.parts["validation"].flagged
    assert np.isnan(audit.parts["test"].ratio)


def test_a_telling_word_worked_by_hand() -> None:
    """One user each: `owl` is told of the test item alone, `bee` also of a training item."""
    items = ["owl", "bee", "bee elk", "ray cat", "dog ant", "hen fox"]
    lists = [[1, 3, 4, 2, 0], [5, 4, 3, 1, 2]]
    split = leave_one_out(sequences_of(lists, len(items)))
    audit = audit_coverage(["owl bee", "bee elk hen"], split, items)
    # User 1's test item is `bee elk` after a validation item `bee`: only `elk` tells of it.
    assert audit.examples == ((0, 0, "owl"), (1, 2, "elk"))
    # Latest first: `dog ant`, `ray cat`; `ray cat`, `dog ant`; `bee` (not distinctive), `hen fox`: told.
    assert audit.recency == (0.0, 0.0, 1.0)


def test_words_of_the_prompt_tell_nothing() -> None:
    """`please` is in every text, and in one item that is somebody's test item."""
    lists = [[k, k + 40, k + 80, k + 120] for k in range(40)]
    items = [_word(item) for item in range(159)] + ["please"]
    audit = audit_coverage(["please conclude"] * 40, leave_one_out(sequences_of(lists, 160)), items)
    assert audit.examples == ()
    assert audit.parts["test"].held_out == 0


def test_too_little_to_judge() -> None:
    split = leave_one_out(sequences_of([[0, 1, 2]], 4))
    for item_texts in (["", "", "", ""], ["owl", "bee", "elk", "ray"]):
        audit = audit_coverage(["owl bee elk"], split, item_texts)
        assert not audit.flagged


def test_users_without_evaluation_and_unknown_words_do_no_harm() -> None:
    split = leave_one_out(sequences_of([[0], [1, 2], [0, 1, 2]], 3))
    audit = audit_coverage(["", "1 2 ??", "\u0000 любой"], split, ["", "", ""])
    assert audit.parts["test"].users == 0
    assert audit.recency == ()


def test_the_seed_decides(world: tuple[Split, list[list[int]]]) -> None:
    split, lists = world
    texts = told(lists, ALL, listing)
    assert audit_coverage(texts, split, ITEM_TEXTS, seed=1) == audit_coverage(
        texts, split, ITEM_TEXTS, seed=1
    )


def test_wrong_shapes_are_refused() -> None:
    split = leave_one_out(sequences_of([[0, 1, 2]], 3))
    with pytest.raises(DataError, match="1 texts and 2 items' texts for 1 users and 3 items"):
        audit_coverage([""], split, ["", ""])


def test_items_are_described_by_all_their_columns() -> None:
    table = pl.DataFrame(
        {"item_id": ["a", "b"], "title": ["Owls", None], "category": [None, None], "n": [3, 4]}
    )
    assert describe_items(table) == ["Owls 3", "4"]
    assert describe_items(table.select("item_id")) == ["", ""]
