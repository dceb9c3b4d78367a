"""Copy the readable rows of a damaged ledger into a new one."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic
from grasp_bench.core.errors import MissingFileError, StoreError
from grasp_bench.services.ledger import (
    APPLICATION,
    Answer,
    checksum_of,
    connect,
    create_tables,
    damaged_unless,
    transaction,
)
from grasp_bench.services.requests import KEY_BYTES

BESIDE = ("", "-wal", "-shm")  # SQLite's files of one database
SMALLEST_ROW = 40  # bytes; bounds the row numbers to try when no index lists them
# Places in a database's first page (https://www.sqlite.org/fileformat.html, section 1.3).
JOURNAL_MODE = slice(18, 20)
PAGE_COUNT = slice(28, 32)
FREE_PAGES = slice(32, 40)
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Recovered:
    """The result of a recovery: answers saved, rows not readable, path of the old file.

    `damaged` is None when the ledger was sound; then nothing was changed.
    """

    answers: int
    unreadable: int
    damaged: Path | None


def recover(path: Path) -> Recovered:
    """Replace a damaged ledger by a new one with every row that can still be read.

    The damaged files are kept beside it under another name. A payer counts as having spent at least the cost
    of its saved answers. Raises MissingFileError without a ledger and StoreError while a run uses it.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no ledger is there", hint="pass --store")
    with ExitStack() as stack, tempfile.TemporaryDirectory(dir=path.parent, prefix=".recovery-") as folder:
        _hold_services(path, stack)
        copy = Path(folder) / "copy.sqlite"
        for end in BESIDE[:2]:  # SQLite rebuilds the shared memory from the log
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        if (kept := _count_if_sound(copy)) is not None:
            return Recovered(kept, 0, None)
        with damaged_unless(path):
            fresh = Path(folder) / "fresh.sqlite"
            answers, unreadable = _salvage(copy, fresh)
        aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
        for end in BESIDE:
            with suppress(FileNotFoundError):
                Path(f"{path}{end}").rename(f"{aside}{end}")
        fresh.rename(path)
        return Recovered(answers, unreadable, aside)


def _hold_services(path: Path, stack: ExitStack) -> None:
    """Take the locks of all services ever used with this ledger (see `dispatch`)."""

    def in_use() -> None:
        raise StoreError(f"{path}: a run is using it", hint="end the run first, then recover the ledger")

    for lock in sorted(path.parent.glob(f"{path.stem}.*.lock")):
        stack.callback(atomic.acquire(lock, in_use).release)


def _count_if_sound(copy: Path) -> int | None:
    """Count the answers of a sound ledger; None when it is damaged."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(copy)) as connection:
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
            return None
        if connection.execute("PRAGMA integrity_check").fetchone() == ("ok",):
            sound = [_is_answer(row) for row in connection.execute("SELECT * FROM answers")]
            return len(sound) if all(sound) else None
    return None


def _salvage(copy: Path, fresh: Path) -> tuple[int, int]:
    """Fill a new ledger from a damaged copy; return the numbers of answers saved and not readable."""
    with closing(connect(fresh)) as into:
        with closing(_open_damaged(copy)) as out:
            answers = _Table(out, "answers", 9, "sqlite_autoindex_answers_1", _is_answer)
            payers = _Table(out, "payers", 6, "sqlite_autoindex_payers_1", _is_payer)
            intentions = _Table(out, "intentions", 5, "intentions_of_payer", _is_intention)
            with transaction(into):
                for table in (answers, payers, intentions):
                    marks = ",".join("?" * table.width)
                    into.executemany(f"INSERT OR IGNORE INTO {table.name} VALUES ({marks})", table.rows())
                into.execute(_AT_LEAST_ITS_ANSWERS)
        into.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        saved = int(into.execute("SELECT count(*) FROM answers").fetchone()[0])
        # A single file, to be renamed; `connect` turns WAL on again.
        into.execute("PRAGMA journal_mode = DELETE")
    return saved, answers.unreadable


# A payer whose row is lost, or older than its answers, has spent their cost.
_AT_LEAST_ITS_ANSWERS = """
INSERT INTO payers SELECT payer, count(*), sum(input_tokens), sum(output_tokens), total(cost_usd),
    count(*) - count(cost_usd) FROM answers GROUP BY payer
ON CONFLICT (payer) DO UPDATE SET input_tokens = max(input_tokens, excluded.input_tokens),
    output_tokens = max(output_tokens, excluded.output_tokens), cost_usd = max(cost_usd, excluded.cost_usd),
    unpriced = max(unpriced, excluded.unpriced > 0)
"""


def _open_damaged(copy: Path) -> sqlite3.Connection:
    """Open the copy; an unreadable first page is replaced by a new ledger's, which differs in counts only."""
    connection = sqlite3.connect(copy)
    with suppress(sqlite3.Error):
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        if {name for (name,) in tables} >= {"answers", "payers", "intentions"}:
            return _prepared(connection)
    connection.close()
    _replace_first_page(copy)
    return _prepared(sqlite3.connect(copy))


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.text_factory = lambda raw: raw.decode("utf-8", errors="replace")
    return connection


def _replace_first_page(copy: Path) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create_tables(connection)
        size = int(connection.execute("PRAGMA page_size").fetchone()[0])
        first = bytearray(connection.serialize()[:size])
    with copy.open("r+b") as stream:
        pages = max(1, stream.seek(0, 2) // size)
        first[JOURNAL_MODE] = b"\x02\x02"
        first[PAGE_COUNT] = pages.to_bytes(4, "big")
        first[FREE_PAGES] = bytes(8)
        stream.seek(0)
        stream.write(first)


@dataclass
class _Table:
    """Rows of one table, in order, skipping unreadable pages."""

    connection: sqlite3.Connection
    name: str
    width: int  # columns; an earlier version's answers have fewer
    index: str
    is_sound: Callable[[Row], bool]
    unreadable: int = 0

    def rows(self) -> Iterator[Row]:
        """Yield every readable valid row; count the others."""
        last: int | None = 0
        others: Iterator[int] | None = None
        while last is not None:
            try:
                query = f"SELECT rowid, * FROM {self.name} NOT INDEXED WHERE rowid > ? ORDER BY rowid"
                for number, *row in self.connection.execute(query, (last,)):
                    last = int(number)
                    if self.is_sound(tuple(row)):
                        yield (*row, *[None] * (self.width - len(row)))
                    else:
                        self.unreadable += 1
                return
            except sqlite3.Error:
                others = others or self._numbers()
                last = self._before_next_readable(last, others)

    def _before_next_readable(self, last: int, numbers: Iterator[int]) -> int | None:
        """Return the number before the next readable row after `last`; None when there is none."""
        query = f"SELECT * FROM {self.name} NOT INDEXED WHERE rowid = ?"
        for number in numbers:
            if number <= last:
                continue
            with suppress(sqlite3.Error):
                if self.connection.execute(query, (number,)).fetchone() is not None:
                    return number - 1
            self.unreadable += 1
        return None

    def _numbers(self) -> Iterator[int]:
        """Yield row numbers in ascending order: those of the index, else all that fit into the file."""
        with suppress(sqlite3.Error):
            query = f"SELECT rowid FROM {self.name} INDEXED BY {self.index}"
            return iter(sorted(int(number) for (number,) in self.connection.execute(query)))
        with suppress(sqlite3.Error):
            query = f"SELECT max(rowid) FROM {self.name}"
            last = int(self.connection.execute(query).fetchone()[0] or 0)
            return iter(range(1, min(last, self._most_rows()) + 1))
        return iter(range(1, self._most_rows() + 1))

    def _most_rows(self) -> int:
        pages, size = (
            self.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
        )
        return int(pages) * int(size) // SMALLEST_ROW


def _is_answer(row: Row) -> bool:
    *columns, payer, at, checksum = (*row, None)[:9]
    if not _are((*columns, payer, at), bytes, bytes, str, int, int, float | None, str, int):
        return False
    key, answer = columns[0], Answer(*columns[1:])
    counts = answer.input_tokens, answer.output_tokens
    whole = len(key) == KEY_BYTES and answer.finish.isprintable() and min(counts) >= 0
    return whole and checksum in (None, checksum_of(key, answer))


def _is_payer(row: Row) -> bool:
    _, requests, inward, outward, _, unpriced = row
    counts = requests, inward, outward, unpriced
    return _are(row, str, int, int, int, float, int) and min(counts) >= 0


def _is_intention(row: Row) -> bool:
    return _are(row, int, str, bytes, int, float | None)


def _are(values: Row, *types: Any) -> bool:
    """Return True when each value is of the type in its place."""
    return all(isinstance(value, kind) for value, kind in zip(values, types, strict=True))
