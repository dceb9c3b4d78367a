"""From files to numbered sequences: repairs by name, filters, numbering."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError
from grasp_bench.data.prepare import Prepared, prepare
from grasp_bench.spec.dataset import Dataset

Make = Callable[..., Prepared]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Prepare interactions given as 'user item order' words, and items as 'id title' lines."""

    def make(interactions: str, items: str | None = None, **settings: Any) -> Prepared:
        rows = [",".join(word) for word in map(str.split, interactions.splitlines()) if word]
        (tmp_path / "interactions.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
        if items is not None:
            (tmp_path / "items.csv").write_text(items)
        return prepare(Dataset(source=str(tmp_path), **settings))

    return make


def as_lists(prepared: Prepared) -> dict[str, list[str]]:
    sequences = prepared.sequences
    return {
        user: [
            sequences.item_ids[item]
            for item in sequences.items[sequences.offsets[k] : sequences.offsets[k + 1]]
        ]
        for k, user in enumerate(sequences.user_ids)
    }


TWO_USERS = "b x 1\n a y 1\n b z 3\n a x 2\n b y 2\n a w 3"


def test_users_by_first_row_items_by_first_place_in_a_history(make: Make) -> None:
    prepared = make(TWO_USERS)
    assert as_lists(prepared) == {"b": ["x", "y", "z"], "a": ["y", "x", "w"]}
    assert prepared.sequences.user_ids == ["b", "a"]
    assert prepared.sequences.item_ids == ["x", "y", "z", "w"]
    assert prepared.repairs["unsorted"] == 1


def test_numbers_skip_what_filters_leave_out(make: Make) -> None:
    prepared = make("c solo 1\n" + TWO_USERS)
    assert prepared.sequences.user_ids == ["b", "a"]
    assert "solo" not in prepared.sequences.item_ids
    assert prepared.filtered == {
        "interactions_read": 7,
        "interactions_left_out": 1,
        "users_left_out": 1,
        "items_left_out": 1,
    }


def test_single_pass_keeps_what_the_iterated_core_drops(make: Make) -> None:
    # Item r is rare; without it user c is short, and then so are the items of c.
    rows = "a x 1\n a y 2\n a z 3\n b x 1\n b y 2\n b z 3\n c x 1\n c y 2\n c r 3"
    assert list(as_lists(make(rows, min_item=2))) == ["a", "b"]
    assert as_lists(make(rows, min_item=2, core="single_pass"))["c"] == ["x", "y"]


TIED = "a x 1\n a y 1\n a z 2"
TWICE = "a x 1\n a x 1\n a y 2\n a z 3"
BACK = "a x 2\n a y 1\n a z 3"


@pytest.mark.parametrize(
    ("rows", "option", "message"),
    [
        (TIED, "time_ties", "interactions.csv:3: user 'a' has two interactions of the same timestamp"),
        (TWICE, "duplicates", "interactions.csv:3: user 'a' has item 'x' twice with the same timestamp"),
        (BACK, "unsorted", "interactions.csv:3: user 'a' goes back in timestamp"),
        (TIED + "\n b x 1", "short_users", "user 'b' falls short of min_user 3 (1 such user)"),
    ],
)
def test_refuse_names_line_and_option(make: Make, rows: str, option: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        make(rows, repair={option: "refuse"})
    assert message in caught.value.message
    assert f"dataset.repair.{option}: " in str(caught.value.hint)


@pytest.mark.parametrize("option", ["time_ties", "duplicates", "unsorted", "short_users"])
def test_refuse_lets_clean_data_pass(make: Make, option: str) -> None:
    assert as_lists(make("a x 1\n a y 2\n a z 3", repair={option: "refuse"})) == {"a": ["x", "y", "z"]}


def test_equal_times_stay_in_file_order(make: Make) -> None:
    prepared = make("a z 1\n b x 1\n a y 1\n b y 1\n a x 1\n b z 1")
    assert as_lists(prepared) == {"a": ["z", "y", "x"], "b": ["x", "y", "z"]}
    assert prepared.repairs["time_ties"] == 4


def test_duplicates_are_kept_or_dropped_by_name(make: Make) -> None:
    assert as_lists(make(TWICE))["a"] == ["x", "x", "y", "z"]
    dropped = make(TWICE, repair={"duplicates": "drop"})
    assert as_lists(dropped)["a"] == ["x", "y", "z"]
    assert dropped.repairs["duplicates"] == 1
    assert as_lists(make("a x 1\n a x 2\n a y 3", repair={"duplicates": "drop"}))["a"] == ["x", "x", "y"]


ITEMS = 'item_id,title,brand,categories\ny,Why,  ,C > D\nx,"  ",Acme,\n'


def test_items_follow_the_numbering_and_keep_every_column(make: Make) -> None:
    prepared = make("a x 1\n a y 2\n a z 3", ITEMS)
    assert prepared.items.columns == ["item_id", "title", "category", "brand"]
    assert prepared.items.rows() == [
        ("x", None, None, "Acme"),
        ("y", "Why", "C > D", None),
        ("z", None, None, None),
    ]
    assert prepared.repairs["missing_titles"] == 2
    assert prepared.repairs["unknown_items"] == 1


def test_without_items_file_nothing_is_known(make: Make) -> None:
    assert make("a x 1\n a y 2\n a z 3").items.rows()[0] == ("x", None, None)


def test_unknown_items(make: Make) -> None:
    rows = "a x 1\n a q 2\n a y 3\n a x 4"
    assert as_lists(make(rows, ITEMS, repair={"unknown_items": "drop"}))["a"] == ["x", "y", "x"]
    with pytest.raises(DataError, match=r"interactions\.csv:3: item 'q' is not in the items file"):
        make(rows, ITEMS, repair={"unknown_items": "refuse"})


def test_empty_text(make: Make) -> None:
    with pytest.raises(DataError, match=r"items\.csv: item 'x' has no title \(1 such item\)"):
        make("a x 1\n a y 2\n a y 3", ITEMS, repair={"empty_text": "refuse"})


def test_items_listed_twice(make: Make) -> None:
    items = ITEMS + "y,Again,,\n"
    with pytest.raises(DataError, match=r"items\.csv:4: item 'y' is listed twice"):
        make("a x 1\n a y 2\n a y 3", items)
    prepared = make("a x 1\n a y 2\n a y 3", items, repair={"duplicate_items": "first"})
    assert prepared.items["title"].to_list() == [None, "Why"]
    assert prepared.repairs["duplicate_items"] == 1


@pytest.mark.parametrize(
    ("items", "columns", "message"),
    [
        ("id,title\nx,X\n", {}, "no column 'item_id'"),
        ("item_id,name\nx,X\n", {"title": "nam"}, "no column 'nam'; did you mean 'name'?"),
        ("item_id,title,category,categories\nx,X,a,b\n", {}, "would both become 'category'"),
        ("item_id,title\n,X\n", {}, "items.csv:2: item_id is empty"),
    ],
)
def test_unusable_items_are_refused(make: Make, items: str, columns: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=r"items\.csv") as caught:
        make("a x 1\n a y 2\n a z 3", items, columns=columns)
    assert message in caught.value.message


def test_filters_that_leave_nothing_are_refused(make: Make) -> None:
    with pytest.raises(DataError, match="no interactions are left with min_user 9"):
        make(TWO_USERS, min_user=9)
    with pytest.raises(DataError, match="no interactions are left"):
        make("a x 1\n a y 2\n a z 3", "item_id,title\nq,Q\n", repair={"unknown_items": "drop"})


def test_one_user_one_item(make: Make) -> None:
    assert as_lists(make("a x 1\n a x 2\n a x 3")) == {"a": ["x", "x", "x"]}


@pytest.mark.parametrize("column", ["categories", "category"])
def test_lists_become_text_and_categories_paths(tmp_path: Path, column: str) -> None:
    frame = {"user_id": [1, 1, 1], "item_id": [7, 8, 7], "timestamp": [1, 2, 3]}
    pl.DataFrame(frame).write_parquet(tmp_path / "interactions.parquet")
    items = {
        "item_id": [7, 8],
        "title": ["A", ""],
        column: [["c", None, "d"], []],
        "price": [1.5, None],
        "tags": [["x", "y"], None],
    }
    pl.DataFrame(items).write_parquet(tmp_path / "items.parquet")
    prepared = prepare(Dataset(source=str(tmp_path)))
    assert prepared.items.rows() == [("7", "A", "c > d", "1.5", "x, y"), ("8", None, None, None, None)]


table = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("vwxyz"), st.integers(0, 5)), min_size=1, max_size=40
)


@given(table)
def test_sequences_are_what_sorting_in_python_gives(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]]
) -> None:
    rows = [*rows, ("e", "v", 1), ("e", "w", 1), ("e", "x", 0)]
    folder = tmp_path_factory.mktemp("data")
    pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row").write_csv(
        folder / "interactions.csv"
    )
    expected: dict[str, list[tuple[int, str]]] = {}
    for user, item, time in rows:
        expected.setdefault(user, []).append((time, item))
    found = prepare(Dataset(source=str(folder)))
    assert as_lists(found) == {
        user: [item for _, item in sorted(history, key=lambda pair: pair[0])]
        for user, history in expected.items()
        if len(history) >= 3
    }
    assert np.array_equal(np.unique(found.sequences.items), np.arange(found.sequences.num_items))
