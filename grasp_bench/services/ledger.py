"""Keep the answers of paid services in one SQLite file of the store.

SQLite with a write-ahead log: an answer is committed by one append and one fsync (2 ms) and found by key
among millions, from several processes. Parquet has no key index, and a file exists only once its footer is
written, so a kill would lose all its answers.

Prompts are not kept, only hashes of requests, since they may hold personal data. Answers may too, so only
the owner can read the file.

    answers     key → content, finish, tokens, cost, checksum: written once, never changed, dropped if useless
    payers      what each payer (a node's hash) has spent, over all of its runs
    intentions  write-ahead entries: requests about to be sent or in flight, at their upper bounds; one that
                a dead process left, or that ended without a clear answer, was perhaps billed

The write-ahead log needs shared memory: processes of one machine may share a ledger, machines may not.

Only SQLite opens the file. POSIX locks belong to a process and a file: closing any descriptor of the file
drops them all, so opening and closing it by hand would unlock the process's own connections. Another process
could then delete the write-ahead log in use (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grasp_bench.core.errors import StoreError

VERSION = 2  # 1 had no checksums
APPLICATION = 0x47524C47  # "GRLG": marks an SQLite file as a ledger
BUSY_SECONDS = 60.0  # longest wait for another process's commit
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
    """Open a ledger, creating it when absent; every commit is on disk when it returns.

    Raises StoreError.
    """
    with damaged_unless(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            if path.stat().st_size == 0:
                path.chmod(0o600)  # while it is empty; SQLite gives -wal and -shm the same mode
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def damaged(path: Path, why: str) -> StoreError:
    """Return the error to raise for a damaged ledger."""
    return StoreError(
        f"{path}: damaged ({why})",
        hint=f"grasp-bench ledger recover --store {path.parent}: saves every answer that can be read",
    )


@contextmanager
def damaged_unless(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the system into StoreError with a hint."""
    try:
        yield
    except sqlite3.OperationalError as error:
        said = str(error)
        hint = "free space on the disk" if "full" in said else "see that the file can be written and read"
        raise StoreError(f"{path}: {said}", hint=f"{hint}, and run again") from None
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
        raise StoreError(f"{path}: a database of something else, not a ledger", hint="move it away")
    if _version(connection) > VERSION:
        raise StoreError(
            f"{path}: written by a later version of grasp-bench (ledger {_version(connection)}, this one "
            f"reads {VERSION})",
            hint="upgrade grasp-bench, or use another --store",
        )
    if _version(connection) < VERSION:
        _add_checksums(connection)


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the tables; of several processes that find an empty file, one does."""
    with transaction(connection):
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if _version(connection) == 0 and empty:
            for statement in filter(str.strip, TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Upgrade a ledger of version 1; its answers stay without checksums."""
    with transaction(connection):
        if _version(connection) < VERSION:
            connection.execute("ALTER TABLE answers ADD COLUMN checksum BLOB")
            connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes, or roll all of it back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # such as a full disk: half a ledger would be refused for ever
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


CHUNK = 512  # keys in one query


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of a service, and its tokens.

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
    """Return a checksum of 8 bytes that shows whether an answer was altered on disk."""
    facts = (answer.finish, answer.input_tokens, answer.output_tokens, answer.cost_usd)
    return hashlib.blake2b(b"".join((key, answer.content, repr(facts).encode())), digest_size=8).digest()


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
    """A ledger for readers, created when absent. Use it in the thread that opened it.

    Raises StoreError when the file is damaged, of a later version, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = connect(path)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def find(self, keys: Sequence[bytes]) -> list[Answer | None]:
        """Return the answers to these keys, None where there is none yet.

        Raises StoreError when an answer was altered.
        """
        columns = "key, checksum, content, finish, input_tokens, output_tokens, cost_usd"
        found = {row[0]: self._verified(*row) for row in self._rows(columns, keys)}
        return [found.get(key) for key in keys]

    def missing(self, keys: Sequence[bytes]) -> list[bool]:
        """Return True for each key without an answer."""
        found = {row[0] for row in self._rows("key", keys)}
        return [key not in found for key in keys]

    def drop(self, keys: Sequence[bytes]) -> None:
        """Delete useless answers, so that they are requested again; their cost stays counted."""
        with damaged_unless(self._path):
            self._connection.executemany("DELETE FROM answers WHERE key = ?", [(key,) for key in keys])

    def spent(self, payer: str) -> Spent:
        """Return what a payer has spent in all runs, and what it may have lost."""
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
