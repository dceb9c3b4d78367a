"""Real signals and real second processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fake_study import Fakes
from patience import PATIENCE, until
from run_fakes import fake_plan

from grasp_bench.core.store import Store
from grasp_bench.plan.selection import status

PROGRAM = Path(__file__).with_name("run_fakes.py")
HUNG = "train sasrec-grasp-s42"


def start(fakes: Fakes) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(fakes.store), str(fakes.results)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until_hanging(fakes: Fakes) -> int:
    mark = fakes.orders / "hanging"
    return int(until(lambda: mark.exists() and mark.read_text()))


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # An orphan that nobody has waited for yet is dead all the same.
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " in stat.read_text()


@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "kill"])
def test_ctrl_c_ends_the_workers_and_leaves_a_resumable_state(fakes: Fakes, whole_group: bool) -> None:
    fakes.order(HUNG, "hang")
    program = start(fakes)
    worker = wait_until_hanging(fakes)
    if whole_group:
        os.killpg(program.pid, signal.SIGINT)
    else:
        program.send_signal(signal.SIGINT)
    assert program.wait(PATIENCE) == 130
    assert is_gone(worker)
    assert "Traceback" not in (program.stderr.read() if program.stderr else "")
    assert status(fake_plan(), Store(fakes.store)).count("resume") >= 1
    fakes.relent()
    assert not fakes.run("in_process", workers=1).failed


def test_workers_end_with_a_killed_parent(fakes: Fakes) -> None:
    fakes.order(HUNG, "hang")
    program = start(fakes)
    worker = wait_until_hanging(fakes)
    program.kill()
    program.wait(PATIENCE)
    until(lambda: is_gone(worker))


def test_two_processes_share_one_store(fakes: Fakes) -> None:
    for node in fake_plan().nodes:
        fakes.order(node.label, "be slow")
    programs = [start(fakes), start(fakes)]
    said = [program.communicate(timeout=PATIENCE)[1] for program in programs]
    assert [program.returncode for program in programs] == [0, 0], said
    # Each node was made by one of them; the other waited for it, and found it made.
    assert sorted(fakes.runs()) == sorted(node.label for node in fake_plan().nodes)
    assert any("another process is making it" in text for text in said)
    assert len(list((fakes.results / "fakes").glob("*/cell.json"))) == 3
