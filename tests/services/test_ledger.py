"""The ledger alone: what it keeps, who may read it, and what it says of files that are none."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import PATIENCE

from grasp_bench.core.errors import StoreError
from grasp_bench.services.ledger import APPLICATION, TABLES, Answer, Ledger, Spent
from grasp_bench.services.ledger_writer import LedgerWriter, Transaction, WriteAheadEntry

answers = st.builds(
    Answer,
    content=st.binary(max_size=40),
    finish=st.sampled_from(["stop", "length", "refusal"]),
    input_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
    cost_usd=st.none() | st.floats(0, 100),
)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def write(path: Path, *entries: Transaction) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*(writer.commit(entry) for entry in entries))

    with LedgerWriter(path) as writer:
        asyncio.run(all_at_once())


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.lists(answers, max_size=60))
def test_what_is_written_at_once_is_found_and_counted(tmp_path: Path, kept: list[Answer]) -> None:
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.sqlite"
    write(path, *(Transaction("node", [(key(k), answer)]) for k, answer in enumerate(kept)))
    with Ledger(path) as ledger:
        asked = [key(k) for k in range(len(kept) + 1)]
        assert ledger.find(asked) == [*kept, None]
        assert ledger.missing(asked) == [False] * len(kept) + [True]
        spent = ledger.spent("node")
    assert spent.requests == len(kept)
    assert spent.input_tokens == sum(answer.input_tokens for answer in kept)
    if any(answer.cost_usd is None for answer in kept):
        assert spent.cost_usd is None
    else:
        assert spent.cost_usd == pytest.approx(sum(answer.cost_usd or 0 for answer in kept))


def test_more_keys_than_one_query_takes_are_found_in_order(tmp_path: Path) -> None:
    many = [(key(k), Answer(str(k).encode(), "stop", 1, 1, 0.0)) for k in range(1500)]
    write(tmp_path / "l.sqlite", Transaction("node", many))
    with Ledger(tmp_path / "l.sqlite") as ledger:
        wanted = [key(1499 - k) for k in range(1500)]
        assert [found and found.content for found in ledger.find(wanted)] == [
            str(1499 - k).encode() for k in range(1500)
        ]
        assert ledger.find([]) == []


def test_a_batch_is_one_request(tmp_path: Path) -> None:
    two = [(key(1), Answer(b"a", "stop", 3, 0, 0.25)), (key(2), Answer(b"b", "stop", 2, 0, 0.5))]
    write(tmp_path / "l.sqlite", Transaction("node", two))
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.spent("node") == Spent(requests=1, input_tokens=5, cost_usd=0.75)
        assert ledger.spent("another") == Spent()


def test_the_first_answer_stays_and_both_are_paid(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    first, second = Answer(b"first", "stop", 1, 1, 0.5), Answer(b"second", "stop", 2, 2, 0.25)
    write(path, Transaction("a", [(key(1), first)]))
    write(path, Transaction("b", [(key(1), second)]))
    with Ledger(path) as ledger:
        assert ledger.find([key(1)]) == [first]
        assert [ledger.spent(payer).cost_usd for payer in ("a", "b")] == [0.5, 0.25]


def test_intentions_count_until_they_are_settled(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    sent, unpriced = WriteAheadEntry("node", key(1), 100, 0.5), WriteAheadEntry("node", key(2), 50, None)
    write(path, Transaction("node", opened=sent))
    with Ledger(path) as ledger:
        assert ledger.spent("node") == Spent(lost_requests=1, lost_tokens=100, lost_cost_usd=0.5)
        write(path, Transaction("node", opened=unpriced))
        assert ledger.spent("node") == Spent(lost_requests=2, lost_tokens=150, lost_cost_usd=None)
        write(path, Transaction("node", [(key(1), Answer(b"", "stop", 9, 0, 0.1))], closed=sent))
        write(path, Transaction("node", closed=unpriced))
        assert ledger.spent("node") == Spent(requests=1, input_tokens=9, cost_usd=0.1)


def test_what_cannot_be_written_is_told_and_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"

    async def one_after_the_other() -> None:
        with pytest.raises(StoreError, match="cannot be kept"):
            await asyncio.wait_for(writer.commit(Transaction("node", [(key(1), unwritable)])), 20)
        await asyncio.wait_for(writer.commit(Transaction("node", [(key(2), good)])), 20)

    unwritable, good = Answer(b"x", "stop", 2**70, 1, 0.0), Answer(b"y", "stop", 1, 1, 0.0)
    with LedgerWriter(path) as writer:
        asyncio.run(one_after_the_other())
    with Ledger(path) as ledger:
        assert ledger.find([key(1), key(2)]) == [None, good]


def test_entries_whose_loop_has_ended_are_written_all_the_same(tmp_path: Path) -> None:
    async def leave_at_once() -> None:
        for k in range(300):
            writer.commit(Transaction("node", [(key(k), Answer(b"x", "stop", 1, 1, 0.0))]))

    with LedgerWriter(tmp_path / "l.sqlite") as writer:
        asyncio.run(leave_at_once())
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert not any(ledger.missing([key(k) for k in range(300)]))


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "l.sqlite"
    write(path, Transaction("node", [(key(1), Answer(b"private", "stop", 1, 1, 0.0))]))
    with Ledger(path):
        files = list(path.parent.iterdir())
        assert len(files) == 3  # the log and its index beside it
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def _write_hundred(path: Path, start: int) -> None:
    for k in range(start, start + 100):
        write(path, Transaction(f"node {start}", [(key(k), Answer(b"x", "stop", 1, 0, 0.0))]))


def test_several_processes_write_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_write_hundred, args=(path, 100 * k)) for k in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    with Ledger(path) as ledger:
        assert not any(ledger.missing([key(k) for k in range(300)]))
        assert [ledger.spent(f"node {100 * k}").requests for k in range(3)] == [100, 100, 100]


def test_files_that_are_no_ledger_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, and long enough to be read as one" * 40)
    with pytest.raises(StoreError, match=r"damaged.*not a database"):
        Ledger(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE mine (a)")
    with pytest.raises(StoreError, match="something else"):
        LedgerWriter(tmp_path / "other")
    Ledger(tmp_path / "later").close()
    with sqlite3.connect(tmp_path / "later") as later:
        later.execute("PRAGMA user_version = 7")
    with pytest.raises(StoreError, match=r"later version.*ledger 7, this one reads 2"):
        Ledger(tmp_path / "later")
    with pytest.raises(StoreError, match="cannot be opened"):
        Ledger(tmp_path / "text" / "below")


def test_damage_within_is_told_where_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    write(
        path, *(Transaction("node", [(key(k), Answer(b"x" * 3000, "stop", 1, 1, 0.0))]) for k in range(200))
    )
    with sqlite3.connect(path) as all_in_one_file:
        all_in_one_file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = bytearray(path.read_bytes())
    whole[8192 : len(whole) - 8192] = b"\x5a" * (len(whole) - 16384)
    path.write_bytes(whole)
    with pytest.raises(StoreError, match=r"l\.sqlite: damaged"), Ledger(path) as ledger:
        ledger.find([key(k) for k in range(200)])


def test_a_ledger_that_could_not_be_made_is_made_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("grasp_bench.services.ledger.TABLES", f"{TABLES}; CREATE TABLE answers (again)")
        with pytest.raises(StoreError, match="already exists"):
            Ledger(tmp_path / "l.sqlite")
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert ledger.spent("node") == Spent()


def test_an_altered_answer_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    write(
        path,
        Transaction(
            "node",
            [(key(1), Answer(b"a" * 9, "stop", 1, 1, 0.0)), (key(2), Answer(b"b", "stop", 1, 1, None))],
        ),
    )
    with sqlite3.connect(path) as altered:
        altered.execute("UPDATE answers SET content = ? WHERE key = ?", (b"a" * 8 + b"x", key(1)))
    with Ledger(path) as ledger:
        assert ledger.find([key(2)]) == [Answer(b"b", "stop", 1, 1, None)]
        with pytest.raises(StoreError, match="not as it was kept") as told:
            ledger.find([key(1)])
        assert "ledger recover" in str(told.value.hint)


def test_a_ledger_without_checksums_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with sqlite3.connect(path) as old:
        for statement in TABLES.replace(", checksum BLOB", "").split(";"):
            old.execute(statement)
        old.execute(f"PRAGMA application_id = {APPLICATION}")
        old.execute("PRAGMA user_version = 1")
        old.execute("INSERT INTO answers VALUES (?, 'text', 'stop', 1, 1, 0.5, 'node', 1)", (key(1),))
    write(path, Transaction("node", [(key(2), Answer(b"new", "stop", 1, 1, 0.0))]))
    with Ledger(path) as ledger:
        first, second = ledger.find([key(1), key(2)])
    assert first is not None
    assert (first.cost_usd, second) == (0.5, Answer(b"new", "stop", 1, 1, 0.0))
