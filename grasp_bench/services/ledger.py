"""What paid services have answered, on disk before anything else happens: one SQLite file in the store.

SQLite with a write-ahead log, and not a log of Parquet files, because the questions asked of it are "is
this key there?" and "is this one answer safe now?". An answer is committed by one append and one fsync
(2 ms), and is then found by key among millions, from several processes at once. A Parquet file has no
key index and exists only when its footer is written: an answer a file would be millions of files, and
many answers a file would lose them all to a kill.

Prompts are not kept, only hashes of requests: what users did may be personal. Answers may be too, so that
the file is readable by its owner alone.

    answers     key → content, finish, tokens, cost, checksum: written once, never changed, dropped if useless
    payers      what each payer (a node's hash) has spent, over all of its runs
    intentions  requests about to be sent or in flight, at their upper bounds; one that a dead process
                left behind, or that ended without a clear answer, was perhaps billed

The write-ahead log needs shared memory: processes of one machine may share a ledger, machines may not.

The ledger's file: its tables, how it is opened, and what is said when that fails.

SQLite alone opens the file. POSIX gives a process one set of locks a file, whatever opened it, and closing
any descriptor of the file drops them all: a process that opened and closed the ledger by hand would take
the locks off its own connections. Another process would then believe itself the last one, and delete
the write-ahead log that is still written to (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from grasp_bench.core.errors import StoreError

VERSION = 2  # 1 had no checksums
APPLICATION = 0x47524C47  # "GRLG": says that a SQLite file is a ledger
BUSY_SECONDS = 60.0  # what another process's commit may take
TABLES = """
CREATE TABLE answers (
    key BLOB PRIMARY KEY, content BLOB NOT NULL, finish TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_usd REAL,
    payer TEXT NOT NULL, answered_at INTEGER NOT NULL, checksum BLOB
);
CREATE TABLE payers (
    payer TEXT PRIMARY KEY, requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, cost_usd REAL NOT NULL, unpriced INTEGER NOT NULL
);
CREATE TABLE intentions (
    id INTEGER PRIMARY KEY, payer TEXT NOT NULL, key BLOB NOT NULL,
    most_tokens INTEGER NOT NULL, most_cost REAL
);
CREATE INDEX intentions_of_payer ON intentions (payer);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open a ledger, made first where there is none; every commit is on disk when it returns.

    Raises StoreError.
    """
    with damaged_unless(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            if path.stat().st_size == 0:
                path.chmod(0o600)  # before anything is in it; SQLite gives -wal and -shm the same mode
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def damaged(path: Path, why: str) -> StoreError:
    """The error to raise for a ledger that cannot be believed."""
    return StoreError(
        f"{path}: damaged ({why})",
        mend=f"grasp-bench ledger recover --store {path.parent}: saves every answer that can be read",
    )


@contextmanager
def damaged_unless(path: Path) -> Iterator[None]:
    """Turn SQLite's and the system's errors into StoreError, with a mend that suits."""
    try:
        yield
    except sqlite3.OperationalError as error:
        said = str(error)
        mend = "free space on the disk" if "full" in said else "see that the file can be written and read"
        raise StoreError(f"{path}: {said}", mend=f"{mend}, and run again") from None
    except sqlite3.DatabaseError as error:
        raise damaged(path, str(error)) from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened ({error.strerror or error})") from None


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if _version(connection) == 0:
        create_tables(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION:
        raise StoreError(f"{path}: a database of something else, not a ledger", mend="move it away")
    if _version(connection) > VERSION:
        raise StoreError(
            f"{path}: written by a later version of grasp-bench (ledger {_version(connection)}, this one "
            f"reads {VERSION})",
            mend="upgrade grasp-bench, or use another --store",
        )
    if _version(connection) < VERSION:
        _add_checksums(connection)


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables; of several processes that find an empty file, one does."""
    with _transaction(connection):
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if _version(connection) == 0 and empty:
            for statement in filter(str.strip, TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Bring a ledger of version 1 up to date: answers it holds stay without a checksum."""
    with _transaction(connection):
        if _version(connection) < VERSION:
            connection.execute("ALTER TABLE answers ADD COLUMN checksum BLOB")
            connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # a disk that is full, say: half a ledger would be refused for ever
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


CHUNK = 512  # keys in one query


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said, and what it counted.

    `content` is UTF-8 text, or a float32 little-endian vector. `finish` is litellm's finish_reason;
    "refusal" where the message is one, "content_filter" where the provider would not answer, "stop" for
    vectors. `cost_usd` is None where no price is known.
    """

    content: bytes
    finish: str
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


def checksum_of(key: bytes, answer: Answer) -> bytes:
    """Eight bytes that tell an answer as it was kept from one that the disk has altered since."""
    told = (answer.finish, answer.input_tokens, answer.output_tokens, answer.cost_usd)
    return hashlib.blake2b(b"".join((key, answer.content, repr(told).encode())), digest_size=8).digest()


@dataclass(frozen=True)
class Spent:
    """What a payer has spent: answered requests, and lost ones (perhaps billed) at their upper bounds.

    `cost_usd` and `lost_cost_usd` are None when some price was not known. Requests that another process
    has in flight for the same payer count as lost until they are answered.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0
    lost_requests: int = 0
    lost_tokens: int = 0
    lost_cost_usd: float | None = 0.0


class Ledger:
    """A ledger as its readers see it; a new one is made where there is none.

    Use it in the thread that opened it.

    Raises StoreError when the file is damaged, of a later version, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file free."""
        self._connection.close()

    def find(self, keys: Sequence[bytes]) -> list[Answer | None]:
        """The answers to these keys, None where there is none yet.

        Raises StoreError when an answer is not the one that was kept.
        """
        columns = "key, checksum, content, finish, input_tokens, output_tokens, cost_usd"
        found = {row[0]: self._verified(*row) for row in self._rows(columns, keys)}
        return [found.get(key) for key in keys]

    def missing(self, keys: Sequence[bytes]) -> list[bool]:
        """True where a key has no answer yet."""
        found = {row[0] for row in self._rows("key", keys)}
        return [key not in found for key in keys]

    def drop(self, keys: Sequence[bytes]) -> None:
        """Forget answers that are of no use, so that they are asked for again; what they cost stays."""
        with damaged_unless(self._path):
            self._connection.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in keys])

    def spent(self, payer: str) -> Spent:
        """What this payer has spent in all runs, and what it may have lost."""
        with damaged_unless(self._path):
            row = self._connection.execute(
                "SELECT requests, input_tokens, output_tokens, cost_usd, unpriced FROM payers "
                "WHERE payer = ?",
                (payer,),
            ).fetchone()
            lost = self._connection.execute(
                "SELECT count(*), coalesce(sum(most_tokens), 0), count(*) - count(most_cost), "
                "coalesce(sum(most_cost), 0.0) FROM intentions WHERE payer = ?",
                (payer,),
            ).fetchone()
        requests, input_tokens, output_tokens, cost, unpriced = row or (0, 0, 0, 0.0, 0)
        lost_requests, lost_tokens, lost_unpriced, lost_cost = lost
        return Spent(
            requests, input_tokens, output_tokens, None if unpriced else cost,
            lost_requests, lost_tokens, None if lost_unpriced else lost_cost,
        )  # fmt: skip

    def _verified(self, key: bytes, checksum: bytes | None, *columns: Any) -> Answer:
        answer = Answer(*columns)
        if checksum is not None and checksum != checksum_of(key, answer):
            raise damaged(self._path, "an answer is not as it was kept")
        return answer

    def _rows(self, columns: str, keys: Sequence[bytes]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with damaged_unless(self._path):
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                marks = ",".join("?" * len(chunk))
                query = f"SELECT {columns} FROM answers WHERE key IN ({marks})"
                rows += self._connection.execute(query, chunk).fetchall()
        return rows
