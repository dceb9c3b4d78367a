"""The ledger's file: its tables, how it is opened, and what is said when that fails.

SQLite alone opens the file. POSIX gives a process one set of locks a file, whatever opened it, and closing
any descriptor of the file drops them all: a process that opened and closed the ledger by hand would take
the locks off its own connections. Another process would then believe itself the last one, and delete
the write-ahead log that is still written to (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
