"""Bars in a real kernel: drawn in one output, silent otherwise, and an interrupt stops the workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from fake_study import Fakes
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel
from patience import PATIENCE, until

SETUP = """
import os, signal, sys
sys.path.insert(0, {tests!r})
os.environ["FAKE_STAGES"] = {orders!r}
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


Kernel = tuple[KernelManager, BlockingKernelClient]


@pytest.fixture(scope="module")
def started() -> Iterator[Kernel]:
    manager, client = start_new_kernel(startup_timeout=PATIENCE)
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(started: Kernel, fakes: Fakes) -> Kernel:
    """A kernel with a study of the test's own."""
    names = {name: str(getattr(fakes, name)) for name in ("orders", "store", "results")}
    setup = SETUP.format(tests=str(Path(__file__).parent), **names)
    assert messages_of(started[1], setup)[1]["status"] == "ok"
    return started


def messages_of(client: BlockingKernelClient, code: str) -> tuple[list[Any], Any]:
    """Run code; return what it sends to the notebook, and the reply."""
    sent: list[Any] = []
    reply = client.execute_interactive(code, timeout=PATIENCE, output_hook=sent.append)
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
    process = psutil.Process(int(until(lambda: worker.exists() and worker.read_text())))
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=PATIENCE)["content"]
    assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
    assert not process.is_running()
    rule.unlink()
    sent, reply = messages_of(client, "found = run('notebook')")
    assert reply["status"] == "ok"
    last = drawings(sent)[-1]["text/plain"]
    assert "resuming" in last
    assert "3/3 cells" in last
    assert messages_of(client, "assert state() == before and not found.failed")[1]["status"] == "ok"


def test_texts_are_text_in_the_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    from grasp_bench.engine import notebook_display

    drawn: list[Any] = []

    class Output:
        update = staticmethod(drawn.append)

    monkeypatch.setattr(notebook_display, "display", lambda first, display_id: Output)
    view = notebook_display.NotebookDisplay(1)
    view.note("<script>alert(1)</script> {code} [red] \x1b[31m & \x07")
    view.close()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {code} [red] \\x1b[31m &amp; \\x07" in drawn[-1].html
    assert "<script>alert(1)</script> {code} [red] \\x1b[31m & \\x07" in drawn[-1].text


def test_elsewhere_it_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    from grasp_bench.engine.display import in_notebook, make_display

    assert not in_notebook()
    display = make_display("notebook", 2)
    display.note("a line")
    display.close()
    assert capfd.readouterr() == ("", "")
