"""Texts from files: formats, ids as strings, unknown, missing and conflicting rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from grasp_bench.core.errors import DataError, MissingFileError, UnknownNameError
from grasp_bench.text.precomputed_settings import PrecomputedText
from grasp_bench.text.providers import Entities, TextStream, write_texts

USERS = ["007", "8", "ü"]
TEXTS = {"ü": "likes ballet", "007": 'likes, "tools"', "8": "likes\nodd lines", "stranger": "x"}


def write(path: Path, **keys: object) -> TextStream:
    items = pl.DataFrame({"item_id": ["i"], "title": ["t"]})
    entities = Entities("users", USERS, items, np.zeros(3, np.int32), np.arange(4))
    written = write_texts(PrecomputedText(path=str(path), **keys), entities)  # type: ignore[arg-type]
    return TextStream(list(written.texts), written.facts)


def save(path: Path, rows: list[tuple[object, object]], names: tuple[str, str] = ("user_id", "text")) -> Path:
    table = pl.DataFrame(rows, schema=list(names), orient="row")
    if path.name.endswith(".csv"):
        table.write_csv(path)
    elif path.name.endswith(".parquet"):
        table.write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_dicts()), "utf-8")
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_rows_are_found_by_id_in_any_format(tmp_path: Path, name: str) -> None:
    written = write(save(tmp_path / name, list(TEXTS.items())))
    assert written.texts == [TEXTS[user] for user in USERS]
    assert written.facts["unknown_ids"] == 1


def test_number_ids_are_compared_as_strings(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": 8, "text": "eight"}\n')
    assert write(path, missing="empty").texts == ["", "eight", ""]


def test_missing_rows_stop_or_stay_empty(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", [("8", "eight"), ("ü", "  ")])
    with pytest.raises(DataError, match="no text for 2 of 3 users: '007', 'ü'"):
        write(path)
    written = write(path, missing="empty")
    assert (written.texts, written.facts["empty"]) == (["", "eight", ""], 2)


def test_repeated_rows_must_agree(tmp_path: Path) -> None:
    rows = list(TEXTS.items())
    assert write(save(tmp_path / "t.csv", rows + rows)).texts[1] == TEXTS["8"]
    with pytest.raises(DataError, match="several texts, the first is '8'"):
        write(save(tmp_path / "t.csv", [*rows, ("8", "something else")]))


def test_columns_are_named_or_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", list(TEXTS.items()), ("who", "profile"))
    assert write(path, id_column="who", text_column="profile").texts[1] == TEXTS["8"]
    with pytest.raises(DataError, match="neither column 'user_id' nor 'id'"):
        write(path)
    with pytest.raises(DataError, match="did you mean 'profile'"):
        write(path, id_column="who", text_column="profil")


def test_unusable_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        write(tmp_path / "gone.csv")
    for name in ("empty.csv", "empty.parquet", "x.docx", "bad.jsonl"):
        path = tmp_path / name
        path.write_bytes(b"{" if name == "bad.jsonl" else b"")
        with pytest.raises(DataError, match=name):
            write(path)


def test_missing_rows_may_be_told_by_the_default_template(tmp_path: Path) -> None:
    written = write(save(tmp_path / "t.csv", [("8", "eight")]), missing="template")
    told = "The user has visited the following items: t please conclude the user's preference."
    assert written.texts == [told, "eight", told]
    assert (written.facts["told_by_template"], written.facts["template"]) == (2, "visited_items")


def test_the_template_withholds_columns(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", [("8", "eight")])
    with pytest.raises(DataError, match="none of the 1 items"):
        write(path, missing="template", redact=("title",))
    with pytest.raises(UnknownNameError, match="did you mean 'title'"):
        write(path, missing="template", redact=("titel",))


def test_a_file_of_other_ids_says_so(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", [("u7", "seven"), ("u8", "eight")])
    with pytest.raises(DataError, match=r"none of its ids \('u7', 'u8', …\)"):
        write(path)
