"""What a run shows while it works: plain lines, JSON lines, or bars where there is a terminal."""

from __future__ import annotations

import math
import sys
import time
from typing import IO, Any, Protocol

from grasp_bench.core.durations import readable, roughly
from grasp_bench.core.outlets import json_for
from grasp_bench.core.registry import Registry
from grasp_bench.core.shown import shown_line
from grasp_bench.engine.audience import Audience, Listener
from grasp_bench.engine.course import Course
from grasp_bench.engine.failures import Failure
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.plan.nodes import Node

SECONDS_BETWEEN_LINES = 15.0


class View(Listener, Protocol):
    """Shows what its reader can take. All output goes to stderr.

    `total` nodes will end; `course`, told of everything first, knows of cells and how long the rest takes.
    """

    def __init__(self, total: int, course: Course | None = None) -> None: ...


class PlainView:
    """One timestamped line for each start and end, and now and then one in between."""

    def __init__(self, total: int, course: Course | None = None, stream: IO[str] | None = None) -> None:
        self._total = total
        self._course = course
        self._ended = 0
        self._stream = stream or sys.stderr
        self._said: dict[str, float] = {}

    def note(self, line: str) -> None:
        """Print a line; it stays one, whatever names are in it."""
        print(f"{time.strftime('%H:%M:%S')} {shown_line(line)}", file=self._stream, flush=True)

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
        self.note(f"        {progress.node.label}: {described(progress)}{self._rest_of(progress.node)}")

    def finished(self, done: Done) -> None:
        """Say what ended and how many are through."""
        self._ended += 1
        how = "found  " if done.reused else "done   "
        count = f"[{self._ended}/{self._total}]{self._whole()}"
        self.note(f"{how} {done.node.label}  {readable(done.seconds)}  {count}")

    def failed(self, failure: Failure) -> None:
        """Say what broke."""
        self._ended += 1
        self.note(f"FAILED  {failure.node.label}: {failure.message}")

    def close(self) -> None:
        """Nothing is held."""

    def _rest_of(self, node: Node) -> str:
        left = None if self._course is None else self._course.seconds_left_of(node)
        return "" if left is None else f"  about {roughly(left)} left"

    def _whole(self) -> str:
        """Cells that are through, and the rest of the run."""
        if self._course is None:
            return ""
        cells = f"  cells {self._course.cells_finished}/{self._course.cells}"
        left = f"  about {roughly(self._course.seconds_left())} left" if self._ended < self._total else ""
        return cells + left


class JsonView:
    """One JSON object a line, for programs (docs/running.md)."""

    def __init__(self, total: int, course: Course | None = None) -> None:
        self._total = total
        self._ended = 0
        self._course = course

    def _say(self, event: str, **fields: Any) -> None:
        line = {"time": round(time.time(), 3), "event": event, **fields}
        print(json_for(sys.stderr, line), file=sys.stderr, flush=True)

    def _whole(self) -> dict[str, Any]:
        """How far the run is, in every event of a node."""
        whole: dict[str, Any] = {"nodes_ended": self._ended, "nodes": self._total}
        if self._course is not None:
            whole |= {"cells_finished": self._course.cells_finished, "cells": self._course.cells}
            whole["eta_seconds"] = round(self._course.seconds_left(), 1)
        return whole

    def note(self, line: str) -> None:
        """Event "note"."""
        self._say("note", text=line)

    def started(self, node: Node) -> None:
        """Event "started"."""
        self._say("started", stage=node.stage, hash=node.hash, label=node.label, **self._whole())

    def progress(self, progress: Progress) -> None:
        """Event "progress"."""
        event, node = progress.event, progress.node
        left = None if self._course is None else self._course.seconds_left_of(node)
        rate = None if self._course is None else self._course.rate_of(node)
        self._say(
            "progress",
            stage=node.stage,
            hash=node.hash,
            label=node.label,
            done=event.done,
            total=event.total,
            unit=event.unit,
            note=event.note,
            figures={name: value if math.isfinite(value) else None for name, value in event.figures.items()},
            per_second=None if rate is None else round(rate, 4),
            node_eta_seconds=None if left is None else round(left, 1),
            **self._whole(),
        )

    def finished(self, done: Done) -> None:
        """Event "finished"."""
        self._ended += 1
        self._say(
            "finished",
            stage=done.node.stage,
            hash=done.node.hash,
            label=done.node.label,
            seconds=round(done.seconds, 3),
            reused=done.reused,
            **self._whole(),
        )

    def failed(self, failure: Failure) -> None:
        """Event "failed"."""
        self._ended += 1
        self._say(
            "failed",
            stage=failure.node.stage,
            hash=failure.node.hash,
            label=failure.node.label,
            message=failure.message,
            mend=failure.mend,
            report=str(failure.report) if failure.report else None,
            **self._whole(),
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


def make_view(name: str, total: int, course: Course | None = None) -> Listener:
    """A view by name; "auto" is rich on a terminal and plain elsewhere, "none" shows nothing."""
    if name == "none":
        return Audience([])
    if name == "auto":
        name = "rich" if sys.stderr.isatty() else "plain"
    return VIEWS.get(name)(total, course)


def described(progress: Progress) -> str:
    """`done/total unit note` as far as the stage has said them."""
    event = progress.event
    count = f"{event.done}/{event.total} {event.unit}".strip() if event.total else ""
    return "  ".join(part for part in (count, event.note) if part)
