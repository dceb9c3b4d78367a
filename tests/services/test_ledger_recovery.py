"""A ledger is damaged in many ways; what is saved of it is what was written, and nothing else."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_ledger import key, write

from grasp_bench.core import atomic
from grasp_bench.core.errors import MissingFileError, StoreError
from grasp_bench.services.ledger import Answer, Ledger
from grasp_bench.services.ledger_recovery import recover
from grasp_bench.services.ledger_writer import Transaction, WriteAheadEntry

ANSWERS = 300
KEPT = [Answer(bytes([k % 256]) * (20 + 17 * k % 9000), "stop", 3, 5, 0.5) for k in range(ANSWERS)]
PAGE = 4096


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "requests.sqlite"
    for start in range(0, ANSWERS, 50):
        write(path, *(Transaction(f"node {k % 3}", [(key(k), KEPT[k])]) for k in range(start, start + 50)))
    write(path, Transaction("node 0", opened=WriteAheadEntry("node 0", key(9999), 100, 0.25)))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _page(number: int) -> Callable[[bytearray, random.Random], bytes]:
    def damage(content: bytearray, draw: random.Random) -> bytes:
        content[number * PAGE : (number + 1) * PAGE] = draw.randbytes(PAGE)
        return bytes(content)

    return damage


def _bytes(content: bytearray, draw: random.Random) -> bytes:
    for _ in range(60):
        content[draw.randrange(len(content))] ^= 0xFF
    return bytes(content)


def _cut(content: bytearray, draw: random.Random) -> bytes:
    return bytes(content[: draw.randrange(len(content) // 2, len(content))])


def _zeros(content: bytearray, draw: random.Random) -> bytes:
    for number in draw.sample(range(1, len(content) // PAGE), 20):
        content[number * PAGE : (number + 1) * PAGE] = bytes(PAGE)
    return bytes(content)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "damage",
    [_page(0), _page(1), _page(2), _page(4), _bytes, _cut, _zeros],
    ids=["first-page", "answers", "index", "payers", "bytes", "cut", "zeros"],
)
def test_what_is_saved_is_what_was_written(
    whole: Path, tmp_path: Path, damage: Callable[[bytearray, random.Random], bytes], seed: int
) -> None:
    path = tmp_path / "requests.sqlite"
    broken = damage(bytearray(whole.read_bytes()), random.Random(seed))
    path.write_bytes(broken)
    found = recover(path)
    assert found.damaged is not None
    assert found.damaged.read_bytes() == broken  # nothing of it is lost
    with Ledger(path) as ledger:
        saved = ledger.find([key(k) for k in range(ANSWERS)])
        spent = [ledger.spent(f"node {k}") for k in range(3)]
    present = [k for k, answer in enumerate(saved) if answer is not None]
    assert len(present) == found.answers
    assert [saved[k] for k in present] == [KEPT[k] for k in present]
    for node, line in enumerate(spent):
        assert line.input_tokens >= 3 * len([k for k in present if k % 3 == node])
    assert recover(path).damaged is None


def test_a_lost_first_page_costs_no_answer(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    path.write_bytes(bytes(PAGE) + whole.read_bytes()[PAGE:])
    assert recover(path).answers == ANSWERS
    with Ledger(path) as ledger:
        assert ledger.find([key(k) for k in range(ANSWERS)]) == KEPT
        assert ledger.spent("node 0").lost_tokens == 100


def test_a_lost_index_costs_no_answer(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    shutil.copyfile(whole, path)
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_answers_1'"
        ).fetchone()
    content = bytearray(whole.read_bytes())
    content[(root - 1) * PAGE : root * PAGE] = bytes(PAGE)
    path.write_bytes(content)
    assert recover(path).unreadable == 0
    with Ledger(path) as ledger:
        assert ledger.find([key(k) for k in range(ANSWERS)]) == KEPT


def test_a_sound_ledger_is_left_alone_and_one_in_use_is_refused(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    with pytest.raises(MissingFileError, match="no ledger"):
        recover(path)
    shutil.copyfile(whole, path)
    assert recover(path) == recover(path)
    assert path.read_bytes() == whole.read_bytes()
    lock = atomic.acquire(tmp_path / "requests.0123456789abcdef.lock")
    try:
        with pytest.raises(StoreError, match="a run is using it"):
            recover(path)
    finally:
        lock.release()


def test_the_mend_that_is_printed_works(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "requests.sqlite"
    content = bytearray(whole.read_bytes())
    content[:16] = bytes(16)
    path.write_bytes(content)
    with pytest.raises(StoreError) as told:
        Ledger(path)
    printed = str(told.value.hint).partition(": ")[0].removeprefix("grasp-bench ")
    done = subprocess.run(
        [sys.executable, "-m", "grasp_bench", *printed.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{ANSWERS} answers saved" in done.stdout
    with Ledger(path) as ledger:
        assert ledger.find([key(0)]) == KEPT[:1]
