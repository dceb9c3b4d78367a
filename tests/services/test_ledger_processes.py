"""One ledger, several connections in several processes: none takes the locks of another."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

from patience import PATIENCE
from test_ledger import key, write

from grasp_bench.services.ledger import Answer, Ledger, connect
from grasp_bench.services.ledger_writer import Transaction

ENTRIES = 60
OPENED_AND_CLOSED = (
    "import sys; from pathlib import Path; from grasp_bench.services.ledger import Ledger\n"
    "with Ledger(Path(sys.argv[1])) as ledger: ledger.spent('x')"
)


def test_a_second_connection_leaves_the_first_its_locks(tmp_path: Path) -> None:
    """A process that believes itself alone deletes the log when it leaves: here it is not alone."""
    path = tmp_path / "l.sqlite"
    with Ledger(path) as first:
        first.spent("x")
        Ledger(path).close()
        subprocess.run([sys.executable, "-c", OPENED_AND_CLOSED, str(path)], check=True)
        assert path.with_name("l.sqlite-wal").exists()
        write(path, Transaction("node", [(key(1), Answer(b"kept", "stop", 1, 1, 0.0))]))
        assert first.missing([key(1)]) == [False]


def _work(path: Path, number: int) -> None:
    """What two services of one worker do: read by one connection, write by others, open and close many."""
    with Ledger(path) as reading:
        for k in range(ENTRIES):
            answer = Answer(f"{number} {k}".encode() * 50, "stop", 1, 1, 0.0)
            write(path, Transaction(f"node {number}", [(key(number * ENTRIES + k), answer)]))
            Ledger(path).close()
            assert reading.missing([key(number * ENTRIES + k)]) == [False]


def test_processes_with_several_connections_each_keep_everything(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(path, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    connection = connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    with Ledger(path) as ledger:
        assert not any(ledger.missing([key(k) for k in range(3 * ENTRIES)]))
        assert [ledger.spent(f"node {k}").requests for k in range(3)] == [ENTRIES] * 3
