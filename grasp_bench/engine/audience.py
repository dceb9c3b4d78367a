"""Who is told of a run, and how all of them are told at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from grasp_bench.engine.failures import Failure
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.plan.nodes import Node


class Listener(Protocol):
    """Told of everything that happens, in the thread that runs the plan: it must not take long."""

    def note(self, line: str) -> None: ...
    def started(self, node: Node) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def finished(self, done: Done) -> None: ...
    def failed(self, failure: Failure) -> None: ...
    def close(self) -> None: ...


class Audience:
    """A listener that tells others, each time in the order given."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)

    def note(self, line: str) -> None:
        """Pass a line on."""
        for listener in self._listeners:
            listener.note(line)

    def started(self, node: Node) -> None:
        """Pass a start on."""
        for listener in self._listeners:
            listener.started(node)

    def progress(self, progress: Progress) -> None:
        """Pass progress on."""
        for listener in self._listeners:
            listener.progress(progress)

    def finished(self, done: Done) -> None:
        """Pass an end on."""
        for listener in self._listeners:
            listener.finished(done)

    def failed(self, failure: Failure) -> None:
        """Pass a failure on."""
        for listener in self._listeners:
            listener.failed(failure)

    def close(self) -> None:
        """Close all, whatever one of them does."""
        first, *others = self._listeners or (None,)
        if first is None:
            return
        try:
            first.close()
        finally:
            Audience(others).close()
