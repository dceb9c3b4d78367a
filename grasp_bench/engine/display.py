"""Show the progress of a run: plain lines, JSON lines, or bars on a terminal."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import IO, Any

from grasp_bench.core.outlets import json_for
from grasp_bench.core.registry import Registry
from grasp_bench.core.shown import shown_line
from grasp_bench.core.words import readable, roughly
from grasp_bench.engine.callbacks import Callback, CallbackList
from grasp_bench.engine.eta import Eta
from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.plan.nodes import Node

SECONDS_BETWEEN_LINES = 15.0


class Display(Callback):
    """A callback that counts ended nodes out of `total`."""

    def __init__(self, total: int, eta: Eta | None = None) -> None:
        self._total = total
        self._eta = eta
        self._ended = 0

    def _seconds_left_of(self, node: Node) -> float | None:
        return None if self._eta is None else self._eta.seconds_left_of(node)


class PlainDisplay(Display):
    """Prints a timestamped line for each start and end, and every 15 seconds of a node."""

    def __init__(self, total: int, eta: Eta | None = None, stream: IO[str] | None = None) -> None:
        super().__init__(total, eta)
        self._stream = stream or sys.stderr
        self._said: dict[str, float] = {}

    def note(self, line: str) -> None:
        """Print one line; line feeds in names are escaped."""
        print(f"{time.strftime('%H:%M:%S')} {shown_line(line)}", file=self._stream, flush=True)

    def started(self, node: Node) -> None:
        """Print the start of a node."""
        self._said[node.hash] = time.monotonic()
        self.note(f"start   {node.label}")

    def progress(self, progress: Progress) -> None:
        """Print progress every 15 seconds; print waiting at once."""
        now, event = time.monotonic(), progress.event
        if event.total and now - self._said.get(progress.node.hash, 0.0) < SECONDS_BETWEEN_LINES:
            return
        self._said[progress.node.hash] = now
        left = self._seconds_left_of(progress.node)
        rest = "" if left is None else f"  about {roughly(left)} left"
        self.note(f"        {progress.node.label}: {described(progress)}{rest}")

    def finished(self, done: Done) -> None:
        """Print the end of a node and how many have ended."""
        self._ended += 1
        how = "found  " if done.reused else "done   "
        count = f"[{self._ended}/{self._total}]{self._whole()}"
        self.note(f"{how} {done.node.label}  {readable(done.seconds)}  {count}")

    def failed(self, failure: Failure) -> None:
        """Print a failure."""
        self._ended += 1
        self.note(f"FAILED  {failure.node.label}: {failure.message}")

    def _whole(self) -> str:
        """Describe finished cells and the time left."""
        if self._eta is None:
            return ""
        cells = f"  cells {self._eta.cells_finished}/{self._eta.cells}"
        left = f"  about {roughly(self._eta.seconds_left())} left" if self._ended < self._total else ""
        return cells + left


class JsonDisplay(Display):
    """Prints one JSON object a line, for programs (docs/running.md)."""

    def _say(self, event: str, **fields: Any) -> None:
        line = {"time": round(time.time(), 3), "event": event, **fields}
        print(json_for(sys.stderr, line), file=sys.stderr, flush=True)

    def _whole(self) -> dict[str, Any]:
        """Return the progress of the whole run, for every event."""
        whole: dict[str, Any] = {"nodes_ended": self._ended, "nodes": self._total}
        if self._eta is not None:
            whole |= {"cells_finished": self._eta.cells_finished, "cells": self._eta.cells}
            whole["eta_seconds"] = round(self._eta.seconds_left(), 1)
        return whole

    def note(self, line: str) -> None:
        """Event "note"."""
        self._say("note", text=line)

    def started(self, node: Node) -> None:
        """Event "started"."""
        self._say_of("started", node)

    def progress(self, progress: Progress) -> None:
        """Event "progress"."""
        event, node = progress.event, progress.node
        left = self._seconds_left_of(node)
        rate = None if self._eta is None else self._eta.rate_of(node)
        self._say_of(
            "progress",
            node,
            done=event.done,
            total=event.total,
            unit=event.unit,
            note=event.note,
            figures={name: value if math.isfinite(value) else None for name, value in event.figures.items()},
            per_second=None if rate is None else round(rate, 4),
            node_eta_seconds=None if left is None else round(left, 1),
        )

    def finished(self, done: Done) -> None:
        """Event "finished"."""
        self._ended += 1
        self._say_of("finished", done.node, seconds=round(done.seconds, 3), reused=done.reused)

    def failed(self, failure: Failure) -> None:
        """Event "failed"."""
        self._ended += 1
        report = str(failure.report) if failure.report else None
        self._say_of("failed", failure.node, message=failure.message, hint=failure.hint, report=report)

    def _say_of(self, event: str, node: Node, **fields: Any) -> None:
        """Print an event of a node, with the progress of the whole run."""
        where = {"stage": node.stage, "hash": node.hash, "label": node.label}
        self._say(event, **where, **fields, **self._whole())


DISPLAYS = Registry[Callable[[int, Eta | None], Callback]](
    "log format",
    {
        "plain": "grasp_bench.engine.display:PlainDisplay",
        "json": "grasp_bench.engine.display:JsonDisplay",
        "rich": "grasp_bench.engine.rich_display:RichDisplay",
        "notebook": "grasp_bench.engine.notebook_display:NotebookDisplay",
    },
)


def make_display(name: str, total: int, eta: Eta | None = None) -> Callback:
    """Make a display by name.

    "auto" is rich on a terminal and plain elsewhere, "none" shows nothing. A notebook has bars of its own for
    "auto" and "rich"; "notebook" shows them there, and nothing elsewhere.
    """
    if name in ("auto", "rich", "notebook") and in_notebook():
        name = "notebook"
    elif name in ("none", "notebook"):
        return CallbackList([])
    elif name == "auto":
        name = "rich" if sys.stderr.isatty() else "plain"
    return DISPLAYS.get(name)(total, eta)


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def described(progress: Progress) -> str:
    """Return `done/total unit note`, without the parts that are empty."""
    event = progress.event
    count = f"{event.done}/{event.total} {event.unit}".strip() if event.total else ""
    return "  ".join(part for part in (count, event.note) if part)
