"""Bars in a real kernel: drawn in one output, silent otherwise, and an interrupt stops the workers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_study import Fakes
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

SECONDS = 60
SETUP = """
import signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from run_fakes import fake_plan
from grasp_bench.engine.run import RunConfig, run_plan

def state():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.stdout, sys.stderr

def run(display):
    places = Path({store!r}), Path({results!r})
    return run_plan(
        fake_plan(), RunConfig(*places, ("cpu", "cpu"), log_format=display, stages="fake_stages:FAKES")
    )

before = state()
"""


@pytest.fixture
def kernel(fakes: Fakes) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager, client = start_new_kernel()
    names = {"tests": str(Path(__file__).parent), "store": str(fakes.store), "results": str(fakes.results)}
    try:
        assert messages_of(client, SETUP.format(**names))[1]["status"] == "ok"
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def messages_of(client: BlockingKernelClient, code: str) -> tuple[list[Any], Any]:
    """Run code; return what it sends to the notebook, and the reply."""
    sent: list[Any] = []
    reply = client.execute_interactive(code, timeout=SECONDS, output_hook=sent.append)
    return sent, reply["content"]


def drawings(sent: list[Any]) -> list[dict[str, str]]:
    kinds = ("display_data", "update_display_data")
    return [message["content"]["data"] for message in sent if message["msg_type"] in kinds]


@pytest.mark.parametrize("display", ["notebook", "rich"])
def test_bars_are_one_output_and_nothing_else_is_sent(kernel: Any, display: str) -> None:
    sent, reply = messages_of(kernel[1], f"found = run({display!r})")
    assert reply["status"] == "ok"
    kinds = [
        message["msg_type"] for message in sent if message["msg_type"] not in ("status", "execute_input")
    ]
    assert kinds[0] == "display_data"
    assert set(kinds[1:]) == {"update_display_data"}
    last = drawings(sent)[-1]
    assert "3 cells, 17 nodes, 17 to do" in last["text/plain"]
    assert "all" in last["text/plain"]
    assert "3/3 cells" in last["text/plain"]
    assert last["text/html"].startswith("<pre")
    assert "━" in last["text/html"]
    assert messages_of(kernel[1], "assert state() == before and not found.failed")[1]["status"] == "ok"


def test_an_interrupt_stops_the_workers_and_the_same_call_resumes(kernel: Any, fakes: Fakes) -> None:
    manager, client = kernel
    rule = fakes.orders / "train sasrec-none-s42.rule"
    rule.write_text("hang")
    client.execute("run('notebook')")
    worker = fakes.orders / "hanging"
    deadline = time.monotonic() + SECONDS
    while not (worker.exists() and worker.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process = psutil.Process(int(worker.read_text()))
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=SECONDS)["content"]
    assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
    assert not process.is_running()
    rule.unlink()
    sent, reply = messages_of(client, "found = run('notebook')")
    assert reply["status"] == "ok"
    last = drawings(sent)[-1]["text/plain"]
    assert "resuming" in last
    assert "3/3 cells" in last
    assert messages_of(client, "assert state() == before and not found.failed")[1]["status"] == "ok"


def test_elsewhere_it_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    from grasp_bench.engine.display import in_notebook, make_display

    assert not in_notebook()
    display = make_display("notebook", 2)
    display.note("a line")
    display.close()
    assert capfd.readouterr() == ("", "")
