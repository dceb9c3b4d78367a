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
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from grasp_bench.services.ledger_file import connect, damaged, damaged_unless

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
