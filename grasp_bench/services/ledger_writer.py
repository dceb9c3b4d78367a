"""Write the ledger in one thread: transactions that arrive during a commit share the next commit.

A commit with fsync takes about 2 ms, mostly waiting for the disk. One thread keeps up with any number of
workers, and no worker waits for more than two commits.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

from grasp_bench.core.errors import StoreError
from grasp_bench.services.ledger import Answer, checksum_of, connect, damaged_unless, transaction

MOST_IN_ONE_COMMIT = 1024
Done = Callable[[StoreError | None], None]  # called once a transaction is on disk, or with the error


@dataclass(frozen=True, slots=True)
class WriteAheadEntry:
    """A write-ahead entry: a request about to be sent, at its upper bounds. Its id is random."""

    payer: str
    key: bytes
    most_tokens: int
    most_cost: float | None
    id: int = field(default_factory=lambda: secrets.randbits(62))


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is committed together, or not at all.

    `answers` are those of one request, by key; `closed` is the entry of a request that was answered
    or never sent; `opened` is the entry of the worker's next request, if there is one.
    """

    payer: str
    answers: Sequence[tuple[bytes, Answer]] = ()
    closed: WriteAheadEntry | None = None
    opened: WriteAheadEntry | None = None


class LedgerWriter:
    """The writer thread of a ledger. Raises StoreError when the ledger cannot be opened."""

    def __init__(self, path: Path) -> None:
        connect(path).close()  # a fault of the file is raised here, not in the thread
        self._path = path
        self._queue: SimpleQueue[tuple[Transaction, Done] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._thread.start()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def commit(self, transaction: Transaction) -> asyncio.Future[None]:
        """Return a future of the running loop: done when the transaction is on disk, else StoreError.

        The transaction is written even if the future is cancelled.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._queue.put((transaction, lambda error: _call_back(loop, future, error)))
        return future

    def close(self) -> None:
        """Write the rest and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        connection: sqlite3.Connection | None = None
        open_for_more = True
        while open_for_more:
            group = self._next_group()
            open_for_more = None not in group
            transactions = [each for each in group if each is not None]
            error: StoreError | None = None
            if transactions:
                try:
                    connection = connection or connect(self._path)
                    self._commit(connection, [transaction for transaction, _ in transactions])
                except StoreError as failed:
                    error = failed
                except Exception as failed:  # a dead thread would block all workers
                    error = StoreError(f"{self._path}: an answer cannot be kept ({type(failed).__name__})")
            for _, done in transactions:
                done(error)
        if connection is not None:
            connection.close()

    def _next_group(self) -> list[tuple[Transaction, Done] | None]:
        group = [self._queue.get()]
        while group[-1] is not None and len(group) < MOST_IN_ONE_COMMIT:
            try:
                group.append(self._queue.get_nowait())
            except Empty:
                break
        return group

    def _commit(self, connection: sqlite3.Connection, transactions: Sequence[Transaction]) -> None:
        with damaged_unless(self._path), transaction(connection):
            _write_transactions(connection, transactions)


def _write_transactions(connection: sqlite3.Connection, transactions: Sequence[Transaction]) -> None:
    now = int(time.time())
    answered = [
        (transaction.payer, key, answer)
        for transaction in transactions
        for key, answer in transaction.answers
    ]
    # If another process has answered meanwhile, its answer stays; the payment is counted.
    _write(
        connection,
        "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*_columns(key, answer), payer, now, checksum_of(key, answer)) for payer, key, answer in answered],
    )
    _write(
        connection,
        "INSERT INTO payers VALUES (?, 1, ?, ?, ?, ?) ON CONFLICT (payer) DO UPDATE SET "
        "requests = requests + 1, input_tokens = input_tokens + excluded.input_tokens, "
        "output_tokens = output_tokens + excluded.output_tokens, "
        "cost_usd = cost_usd + excluded.cost_usd, unpriced = unpriced + excluded.unpriced",
        [_payment(transaction) for transaction in transactions if transaction.answers],
    )
    closed = [transaction.closed for transaction in transactions if transaction.closed is not None]
    _write(connection, "DELETE FROM intentions WHERE id = ?", [(each.id,) for each in closed])
    opened = [transaction.opened for transaction in transactions if transaction.opened is not None]
    _write(
        connection,
        "INSERT INTO intentions VALUES (?, ?, ?, ?, ?)",
        [(each.id, each.payer, each.key, each.most_tokens, each.most_cost) for each in opened],
    )


def _columns(key: bytes, answer: Answer) -> tuple[object, ...]:
    tokens = answer.input_tokens, answer.output_tokens
    return key, answer.content, answer.finish, *tokens, answer.cost_usd


def _write(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        connection.executemany(statement, rows)


def _payment(transaction: Transaction) -> tuple[str, int, int, float, int]:
    """Return what a request adds to its payer: tokens, dollars, and 1 when its price is unknown."""
    answers = [answer for _, answer in transaction.answers]
    return (
        transaction.payer,
        sum(answer.input_tokens for answer in answers),
        sum(answer.output_tokens for answer in answers),
        sum(answer.cost_usd or 0.0 for answer in answers),
        int(any(answer.cost_usd is None for answer in answers)),
    )


def _call_back(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[None], error: StoreError | None
) -> None:
    def finish() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    with suppress(RuntimeError):  # the loop has ended; the transaction is on disk
        loop.call_soon_threadsafe(finish)
