"""What a run shows while it works: plain lines, JSON lines, or bars where there is a terminal."""

from __future__ import annotations

import json
import sys
import time
from typing import IO, Any, Protocol

from grasp_bench.core.durations import readable
from grasp_bench.core.registry import Registry
from grasp_bench.engine.failures import Failure
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.plan.nodes import Node

SECONDS_BETWEEN_LINES = 15.0


class View(Protocol):
    """Told of everything that happens; shows what its reader can take. All output goes to stderr."""

    def __init__(self, total: int) -> None: ...
    def note(self, line: str) -> None: ...
    def started(self, node: Node) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def finished(self, done: Done) -> None: ...
    def failed(self, failure: Failure) -> None: ...
    def close(self) -> None: ...


class PlainView:
    """One timestamped line for each start and end, and now and then one in between."""

    def __init__(self, total: int, stream: IO[str] | None = None) -> None:
        self._total = total
        self._ended = 0
        self._stream = stream or sys.stderr
        self._said: dict[str, float] = {}

    def note(self, line: str) -> None:
        """Print a line."""
        print(f"{time.strftime('%H:%M:%S')} {line}", file=self._stream, flush=True)

    def started(self, node: Node) -> None:
        """Say what begins."""
        self._said[node.hash] = time.monotonic()
        self.note(f"start   {node.label}")

    def progress(self, progress: Progress) -> None:
        """Say how far it is, every 15 seconds; waiting is said at once."""
        now, event = time.monotonic(), progress.event
        if event.total and now - self._said.get(progress.node.hash, 0.0) < SECONDS_BETWEEN_LINES:
            return
        self._said[progress.node.hash] = now
        self.note(f"        {progress.node.label}: {described(progress)}")

    def finished(self, done: Done) -> None:
        """Say what ended and how many are through."""
        self._ended += 1
        how = "found  " if done.reused else "done   "
        self.note(f"{how} {done.node.label}  {readable(done.seconds)}  [{self._ended}/{self._total}]")

    def failed(self, failure: Failure) -> None:
        """Say what broke."""
        self._ended += 1
        self.note(f"FAILED  {failure.node.label}: {failure.message}")

    def close(self) -> None:
        """Nothing is held."""


class JsonView:
    """One JSON object a line, for programs."""

    def __init__(self, total: int) -> None:
        self._total = total

    def _say(self, event: str, **fields: Any) -> None:
        line = {"time": round(time.time(), 3), "event": event, **fields}
        print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)

    def note(self, line: str) -> None:
        """Event "note"."""
        self._say("note", text=line)

    def started(self, node: Node) -> None:
        """Event "started"."""
        self._say("started", stage=node.stage, hash=node.hash, label=node.label)

    def progress(self, progress: Progress) -> None:
        """Event "progress"."""
        event = progress.event
        self._say(
            "progress",
            hash=progress.node.hash,
            label=progress.node.label,
            done=event.done,
            total=event.total,
            unit=event.unit,
            note=event.note,
        )

    def finished(self, done: Done) -> None:
        """Event "finished"."""
        self._say(
            "finished",
            hash=done.node.hash,
            label=done.node.label,
            seconds=round(done.seconds, 3),
            reused=done.reused,
        )

    def failed(self, failure: Failure) -> None:
        """Event "failed"."""
        self._say(
            "failed",
            hash=failure.node.hash,
            label=failure.node.label,
            message=failure.message,
            mend=failure.mend,
            report=str(failure.report) if failure.report else None,
        )

    def close(self) -> None:
        """Nothing is held."""


VIEWS = Registry[type[View]](
    "log format",
    {
        "plain": "grasp_bench.engine.view:PlainView",
        "json": "grasp_bench.engine.view:JsonView",
        "rich": "grasp_bench.engine.rich_view:RichView",
    },
)


def make_view(name: str, total: int) -> View:
    """A view by name; "auto" is rich on a terminal and plain elsewhere."""
    if name == "auto":
        name = "rich" if sys.stderr.isatty() else "plain"
    return VIEWS.get(name)(total)


def described(progress: Progress) -> str:
    """`done/total unit note` as far as the stage has said them."""
    event = progress.event
    count = f"{event.done}/{event.total} {event.unit}".strip() if event.total else ""
    return "  ".join(part for part in (count, event.note) if part)
