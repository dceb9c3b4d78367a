"""The store when processes are killed in the middle, or work on the same node at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from patience import PATIENCE

from grasp_bench.core.store import Store

ROOT = Path(__file__).resolve().parents[2]
# Writes one file, says so, and waits to be killed before it writes the second.
HALF = """
import sys, time
from pathlib import Path
from grasp_bench.core.store import Store
store = Store(Path(sys.argv[1]))
with store.lock("train", "abc"), store.writing("train", "abc", {"hash": "abc"}) as out:
    (out / "first.txt").write_text("1")
    print("half", flush=True)
    time.sleep(600)
    (out / "second.txt").write_text("2")
"""
# Makes the node unless it is there; notes in a log how often the work was done, and by how many at once.
MAKE = """
import os, sys, time
from pathlib import Path
from grasp_bench.core.store import Store
store = Store(Path(sys.argv[1]))
log = Path(sys.argv[2])
for node in ("n0", "n1", "n2"):
    with store.lock("train", node):
        if not store.has("train", node):
            with store.writing("train", node, {"hash": node}) as out:
                busy = os.open(log.with_suffix(f".{node}"), os.O_CREAT | os.O_EXCL)
                time.sleep(0.02)
                (out / "by.txt").write_text(str(os.getpid()))
                os.close(busy)
                log.with_suffix(f".{node}").unlink()
                with log.open("a") as stream:
                    stream.write(node + "\\n")
"""


def start(code: str, *arguments: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_killed_writer_leaves_no_artefact_and_no_lock(tmp_path: Path) -> None:
    process = start(HALF, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    store = Store(tmp_path)
    assert not store.has("train", "abc")
    assert list(store.artefacts("train")) == []
    # The next one gets the lock at once, and finds what was written to go on from.
    with store.lock("train", "abc"), store.writing("train", "abc", {"hash": "abc"}) as out:
        assert (out / "first.txt").read_text() == "1"
        (out / "second.txt").write_text("2")
    artefact = store.get("train", "abc")
    assert sorted(path.name for path in artefact.path.iterdir()) == [
        "artefact.json",
        "first.txt",
        "second.txt",
    ]
    assert json.loads((artefact.path / "artefact.json").read_text())["hash"] == "abc"


def test_processes_that_meet_do_the_work_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [start(MAKE, tmp_path / "store", log) for _ in range(4)]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0, 0, 0]
    assert sorted(log.read_text().split()) == ["n0", "n1", "n2"]
    store = Store(tmp_path / "store")
    assert len(list(store.artefacts("train"))) == 3
