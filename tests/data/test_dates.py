"""Order values that are dates or large numbers: read exactly, or refused with their line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from grasp_bench.core.errors import DataError
from grasp_bench.data.interactions import interactions_of
from grasp_bench.data.readers import read_table
from grasp_bench.spec.dataset import Columns


def orders(tmp_path: Path, cells: list[str]) -> list[float]:
    path = tmp_path / "a.csv"
    rows = "".join(f"u,i{k},{cell}\n" for k, cell in enumerate(cells))
    path.write_text("user_id,item_id,timestamp\n" + rows)
    return interactions_of(read_table(path), Columns()).frame["order"].to_list()


def micros(*day: int) -> int:
    return int(datetime(*day, tzinfo=UTC).timestamp()) * 10**6  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2020-04-03T00:00:00Z", "2020-04-03T10:30:00Z"], [(2020, 4, 3), (2020, 4, 3, 10, 30)]),
        (["2020/04/03"], [(2020, 4, 3)]),
        # The second row tells: no month has the number 25.
        (["03/04/2020", "25/04/2020"], [(2020, 4, 3), (2020, 4, 25)]),
        (["03/04/2020", "04/25/2020"], [(2020, 3, 4), (2020, 4, 25)]),
        (["3-4-2020 10:00", "4-25-2020 9:30:00"], [(2020, 3, 4, 10), (2020, 4, 25, 9, 30)]),
        # Both orders say the same day; with dots, the day comes first everywhere.
        (["03/03/2020"], [(2020, 3, 3)]),
        (["03.04.2020", "04.05.2020 10:00"], [(2020, 4, 3), (2020, 5, 4, 10)]),
    ],
)
def test_dates_are_read_where_there_is_one_reading(
    tmp_path: Path, cells: list[str], expected: list[tuple[int, ...]]
) -> None:
    assert orders(tmp_path, cells) == [micros(*day) for day in expected]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["03/03/2020", "03/04/2020"], "csv:3: timestamp '03/04/2020' may be day/month or month/day"),
        (["2020-01-01", "03-04-2020 10:00"], "csv:3: timestamp '03-04-2020 10:00' may be"),
        (["25/03/2020", "26/03/2020", "03/25/2020"], "csv:4: timestamp '03/25/2020' is neither a number"),
        (["03/04/20"], "csv:2: timestamp '03/04/20' is neither"),
        (["1", str(2**64), str(2**64 + 1)], "csv:4: timestamp 18446744073709551617 is not held"),
        (["16e17", "1600000000000000000", "9007199254740993.0"], "csv:4: timestamp 9007199254740993.0 is"),
        (["1.5", "9007199254740993.5"], "csv:3: timestamp 9007199254740993.5 is"),
        (["1.5", "9007199254740993"], "csv:3: timestamp 9007199254740993 is not held exactly"),
    ],
)  # fmt: skip
def test_what_has_two_readings_or_none_is_refused(tmp_path: Path, cells: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        orders(tmp_path, cells)
    assert caught.value.message.removeprefix(f"{tmp_path}/a.").startswith(message)
    assert caught.value.hint


def test_large_numbers_of_other_formats(tmp_path: Path) -> None:
    large = [2**63 + 1, 2**63 + 2]
    pl.DataFrame({"user_id": large, "item_id": ["a", "b"], "timestamp": [1, 2]}).write_parquet(
        tmp_path / "a.parquet"
    )
    frame = interactions_of(read_table(tmp_path / "a.parquet"), Columns()).frame
    assert frame["user"].to_list() == [str(each) for each in large]
    lines = [f'{{"user_id": {each}, "item_id": 1, "timestamp": {each}}}\n' for each in large]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    table = read_table(tmp_path / "a.jsonl")
    assert interactions_of(table, Columns(order="file")).frame["user"].to_list() == [
        str(each) for each in large
    ]
    with pytest.raises(DataError, match=r"a\.jsonl:1: timestamp '9223372036854775809' lies beyond 2\^63"):
        interactions_of(table, Columns())
