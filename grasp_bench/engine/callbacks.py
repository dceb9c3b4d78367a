"""Who is told of a run, and how all of them are told at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from grasp_bench.engine.failures import Failure
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.plan.nodes import Node


class Callback(Protocol):
    """Told of everything that happens, in the thread that runs the plan: it must not take long."""

    def note(self, line: str) -> None: ...
    def started(self, node: Node) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def finished(self, done: Done) -> None: ...
    def failed(self, failure: Failure) -> None: ...
    def close(self) -> None: ...


class CallbackList:
    """A listener that tells others, each time in the order given."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = tuple(callbacks)

    def note(self, line: str) -> None:
        """Pass a line on."""
        for callback in self._callbacks:
            callback.note(line)

    def started(self, node: Node) -> None:
        """Pass a start on."""
        for callback in self._callbacks:
            callback.started(node)

    def progress(self, progress: Progress) -> None:
        """Pass progress on."""
        for callback in self._callbacks:
            callback.progress(progress)

    def finished(self, done: Done) -> None:
        """Pass an end on."""
        for callback in self._callbacks:
            callback.finished(done)

    def failed(self, failure: Failure) -> None:
        """Pass a failure on."""
        for callback in self._callbacks:
            callback.failed(failure)

    def close(self) -> None:
        """Close all, whatever one of them does."""
        first, *others = self._callbacks or (None,)
        if first is None:
            return
        try:
            first.close()
        finally:
            CallbackList(others).close()
