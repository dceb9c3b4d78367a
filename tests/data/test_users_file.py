"""Attributes of users: the file that the spec names, and nothing of files that it does not."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from grasp_bench.core.errors import DataError, MissingFileError
from grasp_bench.data.prepare import prepare
from grasp_bench.spec.dataset import Dataset
from grasp_bench.spec.locations import locate

ROWS = [f"{user},i{k},{k}" for user in ("007", "ü", "b") for k in range(3)]
PEOPLE = "user_id,age,city,note\nb,31, Ulm ,\nstranger,9,Bonn,x\n007,,Köln,a\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "interactions.csv").write_text("\n".join(["user_id,item_id,position", *ROWS]), "utf-8")
    return folder


def known(folder: Path, users: str | None, **columns: str) -> tuple[pl.DataFrame | None, dict[str, int]]:
    prepared = prepare(Dataset.model_validate({"source": str(folder), "users": users, "columns": columns}))
    return prepared.users, prepared.users_file


def test_one_row_a_user_in_order_null_where_unknown(shop: Path) -> None:
    (shop / "people.csv").write_text(PEOPLE, "utf-8")
    table, counts = known(shop, str(shop / "people.csv"))
    assert table is not None
    assert table.to_dicts() == [
        {"user_id": "007", "age": None, "city": "Köln", "note": "a"},
        {"user_id": "ü", "age": None, "city": None, "note": None},
        {"user_id": "b", "age": "31", "city": "Ulm", "note": None},
    ]
    assert counts == {"unknown_users": 1, "users_without_attributes": 1}


def test_any_format(shop: Path) -> None:
    frame = pl.DataFrame({"user_id": ["007", "b"], "age": [31, None], "tags": [["x", "y"], []]})
    frame.write_parquet(shop / "u.parquet")
    (shop / "u.jsonl").write_text("".join(json.dumps(row) + "\n" for row in frame.to_dicts()), "utf-8")
    tables = [known(shop, str(shop / name))[0] for name in ("u.parquet", "u.jsonl")]
    assert tables[0] is not None
    assert tables[0].equals(tables[1])  # type: ignore[arg-type]
    assert tables[0].row(0) == ("007", "31", "x, y")


def test_a_file_counts_only_where_the_spec_names_it(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "users.csv").write_text(PEOPLE, "utf-8")
    assert locate(Dataset(source=str(shop))).users is None
    assert known(shop, None) == (None, {})
    for name in ("users.csv", "users", str(shop / "users.csv")):
        assert locate(Dataset(source=str(shop), users=name)).users == shop / "users.csv"
    monkeypatch.chdir(shop)
    assert locate(Dataset(source=str(shop), users="users.csv")).users == Path("users.csv")


def test_the_user_column_is_that_of_the_interactions(shop: Path) -> None:
    text = (shop / "interactions.csv").read_text("utf-8").replace("user_id", "uid")
    (shop / "interactions.csv").write_text(text, "utf-8")
    (shop / "u.csv").write_text(PEOPLE.replace("user_id", "uid"), "utf-8")
    table, _ = known(shop, "u.csv", user="uid")
    assert table is not None
    assert table.columns[0] == "user_id"
    (shop / "u.csv").write_text("uid,user_id\nb,1\n", "utf-8")
    with pytest.raises(DataError, match="would both become 'user_id'"):
        known(shop, "u.csv", user="uid")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id,age\nb,1\nb,2\n", r"u\.csv:3: user 'b' is listed twice"),
        ("user,age\nb,1\n", "no column 'user_id'; did you mean 'user'"),
        ("user_id,age\n,1\n", "user_id is empty"),
        ("user_id,age\nx,1\n", r"none of its users \('x'\) has interactions; '007' has"),
        ("user_id,age\n", "no rows"),
    ],
)
def test_files_that_cannot_be_used(shop: Path, content: str, message: str) -> None:
    (shop / "u.csv").write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        known(shop, "u.csv")


def test_files_that_are_not_there(shop: Path) -> None:
    with pytest.raises(MissingFileError, match=r"dataset\.users 'gone\.csv'"):
        known(shop, "gone.csv")
    with pytest.raises(DataError, match="generated"):
        locate(Dataset(source="demo", users="u.csv"))
    (shop / "people.xls").touch()
    with pytest.raises(DataError, match="cannot tell the format"):
        known(shop, "people.xls")
