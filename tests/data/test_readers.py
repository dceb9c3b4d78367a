"""Readers: the same rows from every format, and errors that name the line."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grasp_bench.core.errors import DataError, MissingFileError
from grasp_bench.data.interactions import interactions_of
from grasp_bench.data.readers import ROW, read_table
from grasp_bench.spec.dataset import Columns

HEADER = "user_id,item_id,timestamp\n"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str = "interactions.csv") -> Path:
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def rows(path: Path, columns: Columns | None = None) -> list[tuple[object, ...]]:
    return interactions_of(read_table(path), columns or Columns()).frame.drop(ROW).rows()


def refusal(path: Path, columns: Columns | None = None) -> str:
    with pytest.raises(DataError) as caught:
        rows(path, columns)
    return str(caught.value).replace(str(path.parent) + "/", "")


RECORDS = [("007", "ä b", 3), ("7", "東京", 1), ("007", "x", 2)]


@pytest.mark.parametrize("packing", ["", ".gz"])
@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".json", ".parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, kind: str, packing: str) -> None:
    frame = pl.DataFrame(RECORDS, schema=["user_id", "item_id", "timestamp"], orient="row")
    path = tmp_path / f"interactions{kind}"
    if kind == ".csv":
        frame.write_csv(path)
    elif kind == ".parquet":
        frame.write_parquet(path)
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in frame.to_dicts()))
    if packing:
        packed = path.with_name(path.name + packing)
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        path = packed
    assert rows(path) == RECORDS


def test_ids_are_text_whatever_they_look_like(write: Write) -> None:
    assert rows(write(HEADER + "007,1e5,1\n7,1.0,2\nNaN,true,3\n")) == [
        ("007", "1e5", 1),
        ("7", "1.0", 2),
        ("NaN", "true", 3),
    ]


def test_json_numbers_and_strings_may_mix_as_ids(write: Write) -> None:
    content = '{"user_id": 12345678901234567, "item_id": "007", "timestamp": 1}\n\n'
    content += '{"user_id": "x", "item_id": 8, "timestamp": 2}\n'
    assert rows(write(content, "a.jsonl")) == [("12345678901234567", "007", 1), ("x", "8", 2)]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_byte_order_mark_crlf_and_blank_lines_are_passed_over(write: Write, name: str) -> None:
    content = "\ufeffuser_id,item_id,timestamp\r\n\r\n1,a,5\r\n\r\n1,b,6"
    assert rows(write(content, name)) == [("1", "a", 5), ("1", "b", 6)]


def test_byte_order_mark_in_jsonl(write: Write) -> None:
    assert rows(write('\ufeff{"user_id": 1, "item_id": 2, "timestamp": 3}\n', "a.jsonl")) == [("1", "2", 3)]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.5", "1", "-2"], [1.5, 1.0, -2.0]),
        (["2", " 1 "], [2, 1]),
        # Nanoseconds that a float cannot tell apart.
        (["1600000000000000001", "1600000000000000000"], [1600000000000000001, 1600000000000000000]),
    ],
)
def test_order_values_are_numbers(write: Write, cells: list[str], expected: list[float]) -> None:
    content = HEADER + "".join(f"1,a,{cell}\n" for cell in cells)
    assert [row[2] for row in rows(write(content))] == expected


def test_order_values_may_be_dates(write: Write) -> None:
    found = rows(write(HEADER + "1,a,2014-05-02T10:00:00\n1,b,2014-05-01T23:00:00\n"))
    assert found[0][2] - found[1][2] == 11 * 3600 * 10**6  # type: ignore[operator]


def test_order_is_timestamp_then_position_then_asked_for(write: Write) -> None:
    both = write("position,timestamp,user_id,item_id\n0,9,u,a\n1,8,u,b\n")
    assert [row[2] for row in rows(both)] == [9, 8]
    assert [row[2] for row in rows(both, Columns(order="position"))] == [0, 1]
    assert [row[2] for row in rows(both, Columns(order="file"))] == [0, 1]
    neither = write("user_id,item_id\nu,a\n", "b.csv")
    assert "dataset.columns.order" in refusal(neither)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "interactions.csv: the file is empty"),
        (" \n\n", "interactions.csv: the file is empty"),
        (HEADER, "interactions.csv: no rows"),
        ("userid,item_id,timestamp\n1,a,1\n", "no column 'user_id'; did you mean 'userid'?"),
        ("user_id,user_id,timestamp\n1,a,1\n", "interactions.csv:1: column 'user_id' occurs twice"),
        (HEADER + "1,a,1\n1,b,2,3\n", "interactions.csv:3: 4 fields where the header has 3"),
        (HEADER + '1,a,1\n1,"b,2\n1,c,3\n', "interactions.csv:3: "),
        (HEADER + "1,a,1\n\n,b,2\n", "interactions.csv:4: user_id is empty (1 such row)"),
        (HEADER + '1,a,1\n1,"",2\n1,,2\n', "interactions.csv:3: item_id is empty (2 such rows)"),
        (HEADER + "1,a,1\n1 ,b,2\n", "interactions.csv:3: user_id begins or ends with white space"),
        (HEADER + "1,a,1\n1,b\n", "interactions.csv:3: 2 fields where the header has 3"),
        (HEADER + "1,a,1\n1,b,\n", "interactions.csv:3: timestamp is empty"),
        (HEADER + "1,a,1\n1,b,soon\n", "interactions.csv:3: timestamp 'soon' is neither a number nor a date"),
        (HEADER + "1,a,1.5\n1,b,nan\n", "interactions.csv:3: timestamp is not finite"),
        (HEADER + "1,a,inf\n", "interactions.csv:2: timestamp is not finite"),
        (HEADER + '1,"a\nb",1\n,c,2\n', "interactions.csv:4: user_id is empty"),
    ],
)
def test_unusable_csv_is_refused_with_its_line(write: Write, content: str, message: str) -> None:
    assert message in refusal(write(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.jsonl: the file is empty"),
        ('{"user_id": 1}\n\n{"user_id": \n', "a.jsonl:3: not JSON"),
        ('{"user_id": 1}\n[1, 2]\n', "a.jsonl:2: a JSON list where an object is wanted"),
        ('{"user_id": 1, "item_id": 2}\n', "nothing says in which order"),
        ('{"user_id": 1.5, "item_id": 2, "timestamp": 1}\n', "column 'user_id' holds Float64, not ids"),
        (
            '{"user_id": 1, "item_id": 2, "timestamp": 1}\n{"user_id": 1, "timestamp": 1}\n',
            "a.jsonl:2: item_id is empty",
        ),
        ('{"user_id": 1, "item_id": 2, "timestamp": null}\n', "a.jsonl:1: timestamp is empty"),
        ('{"user_id": 1, "item_id": 2, "timestamp": [1]}\n', "which has no order"),
    ],
)
def test_unusable_jsonl_is_refused_with_its_line(write: Write, content: str, message: str) -> None:
    assert message in refusal(write(content, "a.jsonl"))


def test_parquet_names_the_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"user_id": [1, 2], "item_id": ["a", None], "timestamp": [1, 2]}).write_parquet(path)
    assert "a.parquet, row 2: item_id is empty" in refusal(path)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz", "a.parquet.gz"])
def test_bytes_of_another_kind_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"user_id,item_id,timestamp\n\xff\xfe\x00,1,2\n")
    with pytest.raises(DataError, match=r"a\."):
        read_table(path)


def test_cut_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress((HEADER + "1,a,1\n" * 5000).encode())[:-12])
    with pytest.raises(DataError, match="damaged gzip"):
        read_table(path)


def test_absent_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="cannot tell the format"):
        read_table(tmp_path / "none.xlsx")


@given(data=st.binary(max_size=200))
@example(data=b"\xef")
def test_any_bytes_end_in_rows_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("a.csv", "a.jsonl", "a.parquet", "a.csv.gz"):
        path = folder / name
        path.write_bytes(data)
        try:
            table = read_table(path)
            interactions_of(table, Columns())
        except DataError as error:
            assert str(folder / name) in error.message  # noqa: PT017 - an error is one of two good ends
