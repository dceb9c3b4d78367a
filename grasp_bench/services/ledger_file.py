"""The ledger's file: its tables, how it is opened, and what is said when that fails."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grasp_bench.core.errors import StoreError

VERSION = 1
APPLICATION = 0x47524C47  # "GRLG": says that a SQLite file is a ledger
BUSY_SECONDS = 60.0  # what another process's commit may take
TABLES = """
CREATE TABLE answers (
    key BLOB PRIMARY KEY, content BLOB NOT NULL, finish TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_usd REAL,
    payer TEXT NOT NULL, answered_at INTEGER NOT NULL
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
        # SQLite gives the files beside it (-wal, -shm) the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


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
        raise StoreError(
            f"{path}: damaged ({error})",
            mend="restore it from a backup, or move it away: what it kept will be asked for again",
        ) from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened ({error.strerror or error})") from None


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if _version(connection) == 0:
        _create(connection)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION:
        raise StoreError(f"{path}: a database of something else, not a ledger", mend="move it away")
    if _version(connection) > VERSION:
        raise StoreError(
            f"{path}: written by a later version of grasp-bench (ledger {_version(connection)}, this one "
            f"reads {VERSION})",
            mend="upgrade grasp-bench, or use another --store",
        )


def _create(connection: sqlite3.Connection) -> None:
    """Make the tables; of several processes that find an empty file, one does."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if _version(connection) == 0 and empty:
            for statement in filter(str.strip, TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:  # a disk that is full, say: half a ledger would be refused for ever
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found
