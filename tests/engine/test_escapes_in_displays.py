"""Views of a run send nothing of labels and messages, and no line of a log is forged."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from on_terminal import on_terminal

from grasp_bench.core.progress import Event
from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.display import PlainDisplay, make_display
from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.plan.nodes import make_node

NAME = "x\x1b]52;c;Zm9v\x07\x9b\r\u202e\n12:00:00 done [/bold] :bomb:"
NODE = make_node("train", {}, {}, NAME)
# A live view on a terminal; something else prints meanwhile, in colour and with a link.
LIVE = f"""
import sys
sys.path[:0] = {sys.path!r}
from grasp_bench.core.outlets import guard_streams
guard_streams()
from grasp_bench.engine.display import make_display
from test_escapes_in_displays import tell
view = make_display("rich", 2)
print("\\x1b[5;35mstray\\x1b]8;;http://evil\\x1b\\\\ text", file=sys.stderr)
tell(view)
print("\\x1b[5mafter", file=sys.stderr)
"""


def tell(view: Callback) -> None:
    view.note(NAME)
    view.started(NODE)
    view.progress(Progress(NODE, Event("train", 3, 3, "epochs", NAME)))
    view.finished(Done(NODE, 75.0, reused=False))
    view.started(NODE)
    view.failed(Failure(NODE, NAME, NAME, None))
    view.close()


def test_a_plain_log_has_a_line_an_event() -> None:
    stream = io.StringIO()
    tell(PlainDisplay(2, stream=stream))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 5
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    assert lines[0].endswith(r" x\x1b]52;c;Zm9v\x07\x9b\r\u202e\n12:00:00 done [/bold] :bomb:")


def test_json_lines_keep_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    tell(make_display("json", 2))
    written = capsys.readouterr().err
    assert not set(written) & set("\x1b\x07\x9b\r\u202e")
    events = [json.loads(line) for line in written.splitlines()]
    assert events[0]["text"] == events[1]["label"] == events[-1]["message"] == NAME


def test_a_live_view_sends_its_own_sequences_only() -> None:
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    code, written = on_terminal([sys.executable, "-c", LIVE], Path.cwd(), environment)
    text = written.decode()
    assert code == 0, text
    assert r"\x1b[5;35mstray\x1b]8;;http://evil\x1b\ text" in text
    assert r"\x1b[5mafter" in text
    assert r"\n12:00:00 done [/bold] :bomb:" in text
    assert "\x1b[?25l" in text  # it was live
    rest = re.sub(r"\x1b\[(?!5[;m])[0-9;]*m|\x1b\[\?25[lh]|\x1b\[\d*A|\x1b\[2K|\r", "", text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", rest)
    assert not re.search(r"^\W*12:00:00", rest, re.MULTILINE)
