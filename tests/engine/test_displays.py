"""What a run says, in each of its voices."""

from __future__ import annotations

import io
import json

import pytest

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.progress import Event
from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.display import DISPLAYS, PlainDisplay, make_display
from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.plan.nodes import make_node

NODE = make_node("train", {}, {}, "train [a]-s42")


def tell(view: Callback) -> None:
    view.note("2 cells [odd]")
    view.started(NODE)
    view.progress(Progress(NODE, Event("train", 0, 0, note="waiting: another process is making it")))
    view.progress(Progress(NODE, Event("train", 3, 10, "epochs", "loss 0.4 [x]")))
    view.finished(Done(NODE, 75.0, reused=False))
    view.started(NODE)
    view.failed(Failure(NODE, "it broke [here]", "hint it", None))
    view.close()


@pytest.mark.parametrize("name", [name for name in DISPLAYS if name != "notebook"])
def test_every_view_tells_the_end_and_the_failure(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell(make_display(name, 2))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "it broke [here]" in captured.err.replace("\n", " ")
    assert "train [a]-s42" in captured.err


def test_plain_lines_are_few_but_waiting_is_said_at_once() -> None:
    stream = io.StringIO()
    tell(PlainDisplay(2, stream=stream))
    text = stream.getvalue()
    assert "waiting: another process" in text
    assert "3/10 epochs" not in text  # less than 15 seconds after the last line
    assert "1 min 15 s  [1/2]" in text


def test_json_lines_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    tell(make_display("json", 2))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == [
        "note", "started", "progress", "progress", "finished", "started", "failed",
    ]  # fmt: skip
    assert events[3]["done"] == 3


def test_auto_is_plain_without_a_terminal_and_typos_are_helped() -> None:
    assert isinstance(make_display("auto", 1), PlainDisplay)
    with pytest.raises(UnknownNameError, match="did you mean 'plain'"):
        make_display("plian", 1)
