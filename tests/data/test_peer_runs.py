"""Runs of other libraries as files: what is read, and what is refused with its line."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from grasp_bench.core.errors import DataError
from grasp_bench.core.ranks import quoted
from grasp_bench.data.peer_runs import PeerRun, read_peer_run

USERS, ITEMS = ["u1", "ü 2", "007"], ["a", "b", "c,d"]
HEAD = "user_id,item_id,score\n"


def read(tmp_path: Path, text: str | bytes, read_as: str = "csv") -> PeerRun:
    path = tmp_path / f"run.{read_as}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_peer_run(path, read_as, USERS, ITEMS, tmp_path / "scratch.parquet")


def rows_of(run: PeerRun, memory_mb: int = 64) -> list[tuple[int, int, float]]:
    frames = list(run.blocks(memory_mb))
    return sorted(pl.concat(frames).select("user", "item", "score").rows())


def test_csv_by_the_names_of_its_columns_ids_as_text(tmp_path: Path) -> None:
    run = read(tmp_path, 'score,item_id,rank,user_id\n1.5,a,1,u1\n-2e-3,"c,d",2,007\n 7 ,b,3,ü 2\n')
    assert run.rows == 3
    assert rows_of(run) == [(0, 0, 1.5), (1, 1, 7.0), (2, 2, -0.002)]


def test_trec_by_any_blanks_ranks_and_order_ignored(tmp_path: Path) -> None:
    run = read(tmp_path, "007 Q0 b 9 1e2 tag\n\n u1\t0\ta  1   3.5\tx \nu1 Q0 b 1 4 x\n", "trec")
    assert rows_of(run) == [(0, 0, 3.5), (0, 1, 4.0), (2, 1, 100.0)]


def test_ids_that_trec_cannot_hold_are_read_as_they_are_exported(tmp_path: Path) -> None:
    fields = quoted(USERS[1]), quoted(ITEMS[2])
    assert " " not in fields[0]
    assert rows_of(read(tmp_path, f"{fields[0]} Q0 {fields[1]} 1 2 t\n", "trec")) == [(1, 2, 2.0)]


def test_packed_files_are_read(tmp_path: Path) -> None:
    for read_as, text in (("csv", f"{HEAD}u1,a,1\n"), ("trec", "u1 Q0 a 1 1 t\n")):
        path = tmp_path / f"run.{read_as}.gz"
        path.write_bytes(gzip.compress(text.encode()))
        assert rows_of(read_peer_run(path, read_as, USERS, ITEMS, tmp_path / "scratch.parquet")) == [
            (0, 0, 1.0)
        ]


@pytest.mark.parametrize("read_as", ["csv", "trec"])
def test_a_packed_file_that_ends_too_early_is_named(tmp_path: Path, read_as: str) -> None:
    path = tmp_path / f"run.{read_as}.gz"
    path.write_bytes(gzip.compress(b"user_id,item_id,score\n" + b"u1,a,1\n" * 99)[:-12])
    with pytest.raises(DataError, match=f"{path.name}: damaged gzip file"):
        read_peer_run(path, read_as, USERS, ITEMS, tmp_path / "scratch.parquet")


@pytest.mark.parametrize("read_as", ["csv", "trec"])
def test_a_folder_is_no_run(tmp_path: Path, read_as: str) -> None:
    with pytest.raises(DataError, match="is no file"):
        read_peer_run(tmp_path, read_as, USERS, ITEMS, tmp_path / "scratch.parquet")


def test_brackets_in_a_path_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "runs [of 2026]*"
    folder.mkdir()
    assert rows_of(read(folder, f"{HEAD}u1,a,1\n")) == [(0, 0, 1.0)]
    assert rows_of(read(folder, "u1 Q0 a 1 1 t\n", "trec")) == [(0, 0, 1.0)]


def test_blocks_hold_whole_users_whatever_the_order_of_lines(tmp_path: Path) -> None:
    users = [f"u{k}" for k in range(400)]
    items = [f"i{k}" for k in range(50)]
    lines = [f"{user},{item},{k}" for k, item in enumerate(items) for user in users]
    path = tmp_path / "run.csv"
    path.write_text(HEAD + "\n".join(lines))
    run = read_peer_run(path, "csv", users, items, tmp_path / "scratch.parquet")
    blocks = list(run.blocks(1))
    assert len(blocks) > 2
    seen = [set(block["user"].unique()) for block in blocks]
    assert sum(len(each) for each in seen) == len(set.union(*seen)) == 400
    assert sum(len(block) for block in blocks) == 20_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "run.csv: the file is empty"),
        (HEAD, "run.csv: holds no score"),
        (
            "user_id,item_id,scroe\nu1,a,1\n",
            "run.csv:1: column 'score' is missing; there are: user_id, item_id, sc",
        ),
        (f"{HEAD}u1,a,1\nu1,zz,3\nu1,yy,3\n", r"run.csv:3: item 'zz' is not in the dataset \(2 lines so\)"),
        (f"{HEAD}7,a,1\n", r"run.csv:2: user '7' is not in the dataset \(the only line so\)"),
        (f"{HEAD},a,1\n", "run.csv:2: user '' is not in the dataset"),
        (f"{HEAD}u1,a,nan\n", "run.csv:2: the score 'nan' of item 'a' for user 'u1' is no finite number"),
        (f"{HEAD}u1,b,2\nu1,a,-inf\n", "run.csv:3: the score '-inf'"),
        (f"{HEAD}u1,a,\n", "run.csv:2: the score ''"),
        (f"{HEAD}u1,a,high\n", "run.csv:2: the score 'high'"),
        (f"{HEAD}u1,a,1\nu1,b,1\nu1,a,2\n", "run.csv:4: user 'u1' and item 'a' stand on line 2 too"),
        (f"{HEAD}u1,a,1\nu1,b,1,4\n", "run.csv:3: 4 fields where the header has 3"),
        (f'{HEAD}u1,a,1\n"u1,b,1\nu1,"c,d",2\n', "run.csv:3: a quote opens a field here"),
        (f'{HEAD}\n"u1",a,1\n,,\nu1,zz,2\n', "run.csv:5: item 'zz'"),
        (HEAD.encode() + b"u1,a,1\n\xff\xfe,a,1\n", "run.csv:3: not UTF-8: byte 0xff"),
        (f"{HEAD}u1,a,1\r", "run.csv:2: a carriage return"),
    ],
)
def test_csv_that_cannot_be_used(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as raised:
        rows_of(read(tmp_path, text))
    assert raised.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "run.trec: holds no score"),
        ("\n \n", "run.trec: holds no score"),
        ("u1 Q0 a 1 2 t\nu1 Q0 b 1 2\n", r"run.trec:2: not six fields \(the only line so\)"),
        ("u1 Q0 a 1 2 t more\n", "run.trec:1: not six fields"),
        ("u1 Q0 a 1 NaN t\n", "run.trec:1: the score 'NaN'"),
        (b"u1 Q0 a 1 2 t\nu\xe9 Q0 a 1 2 t\n", "run.trec:2: not UTF-8: byte 0xe9"),
        ("u1 Q0 a 1 2 t\nu1 Q0 a 2 1 t\n", "run.trec:2: user 'u1' and item 'a' stand on line 1 too"),
    ],
)
def test_trec_that_cannot_be_used(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        rows_of(read(tmp_path, text, "trec"))
