"""Published splits, and the rules that papers apply before a split."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from test_formats import HISTORIES, NAMES, histories, lines, read

from grasp_bench.core.errors import DataError
from grasp_bench.data.prepare import prepare
from grasp_bench.data.splitting import split_by_protocol
from grasp_bench.spec.dataset import Dataset


def given_split(folder: Path, parts: dict[str, list[tuple[int, ...]]]) -> Dataset:
    for name, rows in parts.items():
        (folder / f"{name}.txt").write_text(lines(" ", columns=2, rows=rows))
    return Dataset(source=str(folder), protocol={"split": "given"})


def test_a_published_split_stays_as_it_is(tmp_path: Path):
    train = [(1, 5, 0, 0), (1, 6, 0, 0), (2, 5, 0, 0), (9, 7, 0, 0), (9, 5, 0, 0)]
    dataset = given_split(
        tmp_path, {"train": train, "valid": [(1, 7), (2, 6)], "test": [(2, 8), (1, 6), (1, 9)]}
    )
    found = split_by_protocol(prepare(dataset), dataset.protocol)
    split, sequences = found.split, found.prepared.sequences
    assert [sequences.user_ids[user] for user in split.test_users] == ["1", "2"]
    assert [sequences.item_ids[item] for item in split.test_items] == ["6", "8"]
    assert [sequences.item_ids[item] for item in split.valid_items] == ["7", "6"]
    assert [sequences.item_ids[item] for item in split.test_rest.items] == ["9"]
    assert found.check(split) == 10
    assert found.facts["given_split"] == {
        "training": 5,
        "validation": 2,
        "test": 3,
        "users_without_training": 0,
    }
    assert any("1 of 5 held-out interactions" in note for note in found.prepared.notes)
    assert any("1 users have several test interactions" in note for note in found.prepared.notes)


def test_a_published_split_that_looks_into_the_future_is_told(tmp_path: Path):
    for name, time in (("train", 300), ("valid", 200), ("test", 100)):
        rows = "".join(f"{user},{item},{time}\n" for user in (1, 2) for item in (4, 5))
        (tmp_path / f"{name}.csv").write_text(f"user_id,item_id,timestamp\n{rows}")
    notes = prepare(Dataset(source=str(tmp_path), protocol={"split": "given"})).notes
    assert any(
        "4 training interactions happened after their user's first test interaction" in note for note in notes
    )


def test_a_given_split_is_not_shuffled(tmp_path: Path):
    rows = [(1, 5), (1, 6), (2, 5)]
    dataset = given_split(tmp_path, {"train": rows, "valid": rows, "test": rows})
    repair = dataset.repair.model_copy(update={"ascending_runs": "shuffle"})
    shuffled = dataset.model_copy(update={"repair": repair})
    with pytest.raises(DataError, match="would move interactions between the given parts"):
        prepare(shuffled)


def test_parts_that_share_no_user_are_refused(tmp_path: Path):
    rows = [(1, 5), (1, 6), (2, 5)]
    dataset = given_split(tmp_path, {"train": rows, "valid": [(7, 6), (8, 5)], "test": rows})
    with pytest.raises(
        DataError, match=r"valid\.txt: no validation user is in train\.txt \('7' is not, '\d' is\)"
    ):
        prepare(dataset)


def test_low_ratings_are_left_out_before_anything_is_counted(tmp_path: Path):
    (tmp_path / "i.csv").write_text(lines(",", NAMES))
    found = read(tmp_path / "i.csv", min_rating=2)
    assert histories(found) == {user: items[1:] for user, items in HISTORIES.items()}
    assert found.repairs["low_ratings"] == 3
    with pytest.raises(DataError, match="no column 'stars'"):
        read(tmp_path / "i.csv", min_rating=2, columns={"rating": "stars"})
    with pytest.raises(DataError, match="no interaction is rated 9 or more"):
        read(tmp_path / "i.csv", min_rating=9)


@pytest.mark.parametrize(("keep", "expected"), [("first", ["x", "y", "z"]), ("last", ["y", "x", "z"])])
def test_one_interaction_of_a_user_and_item(keep: str, expected: list[str], tmp_path: Path):
    rows = [("a", item, time) for time, item in enumerate("xyxz")]
    (tmp_path / "i.csv").write_text(
        "user_id,item_id,timestamp\n" + "".join(f"{u},{i},{t}\n" for u, i, t in rows)
    )
    assert histories(read(tmp_path / "i.csv", repair={"repeats": keep})) == {"a": expected}


def test_pauses_divide_a_user_into_sessions(tmp_path: Path):
    hours = [0, 0.2, 0.4, 1.5, 1.6, 1.7, 9, 9.4]
    frame = pl.DataFrame(
        {
            "user_id": "a",
            "item_id": range(8),
            "timestamp": [978_300_000 + round(3600 * hour) for hour in hours],
        }
    )
    frame.write_parquet(tmp_path / "i.parquet")
    found = histories(read(tmp_path / "i.parquet", session_gap=0.5))
    assert found == {"a": ["0", "1", "2"], "a#2": ["3", "4", "5"]}  # the third is below min_user
    frame.rename({"timestamp": "position"}).with_columns(pl.int_range(8).alias("position")).write_parquet(
        tmp_path / "p.parquet"
    )
    with pytest.raises(DataError, match="session_gap needs times since 1970"):
        read(tmp_path / "p.parquet", session_gap=0.5)


def test_the_latest_part_of_long_histories(tmp_path: Path):
    (tmp_path / "i.csv").write_text(lines(",", NAMES))
    found = read(tmp_path / "i.csv", max_history=3)
    assert histories(found) == {user: items[-3:] for user, items in HISTORIES.items()}
    assert found.repairs["beyond_max_history"] == 3


def test_a_title_of_several_columns(tmp_path: Path):
    (tmp_path / "interactions.csv").write_text(lines(",", NAMES))
    (tmp_path / "items.csv").write_text(
        "item_id,brand,name,year\n30,Acme,Gel,1999\n31,,Soap,2000\n32,,,2001\n"
    )
    items = read(tmp_path, columns={"title": ["brand", "name"]}).items
    assert items["title"].to_list()[:3] == ["Acme Gel", "Soap", None]
    assert items.columns == ["item_id", "title", "category", "year"]


def test_a_published_split_of_atomic_files_beside_the_whole(tmp_path: Path):
    folder = tmp_path / "shop"
    folder.mkdir()
    header = "user_id:token\titem_id:token\ttimestamp:float\n"
    for place, name in enumerate(("train.", "valid.", "test.", "")):
        rows = "".join(f"{user}\t{item}\t{place}\n" for user in (1, 2) for item in (4 + place,))
        (folder / f"shop.{name}inter").write_text(header + rows)
    found = prepare(Dataset(source=str(folder), protocol={"split": "given"}))
    assert histories(found) == {"1": ["4", "5", "6"], "2": ["4", "5", "6"]}
    assert [each["file"] for each in found.files.values()] == [
        "shop.train.inter",
        "shop.valid.inter",
        "shop.test.inter",
    ]
    (folder / "shop.inter").write_text(header + "".join(f"1\t{item}\t{item}\n" for item in range(4)))
    assert histories(prepare(Dataset(source=str(folder)))) == {"1": ["0", "1", "2", "3"]}
