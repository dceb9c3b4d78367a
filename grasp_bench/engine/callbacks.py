"""Callbacks of a run: the contract, and a list that calls several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from grasp_bench.engine.failures import Failure
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.plan.nodes import Node


class Callback(Protocol):
    """Receives every event of a run, in the thread that runs the plan: it must return quickly."""

    def note(self, line: str) -> None: ...
    def started(self, node: Node) -> None: ...
    def progress(self, progress: Progress) -> None: ...
    def finished(self, done: Done) -> None: ...
    def failed(self, failure: Failure) -> None: ...
    def close(self) -> None: ...


class CallbackList:
    """A callback that calls others in the given order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = tuple(callbacks)

    def note(self, line: str) -> None:
        """Pass on a line."""
        for callback in self._callbacks:
            callback.note(line)

    def started(self, node: Node) -> None:
        """Pass on a start."""
        for callback in self._callbacks:
            callback.started(node)

    def progress(self, progress: Progress) -> None:
        """Pass on progress."""
        for callback in self._callbacks:
            callback.progress(progress)

    def finished(self, done: Done) -> None:
        """Pass on an end."""
        for callback in self._callbacks:
            callback.finished(done)

    def failed(self, failure: Failure) -> None:
        """Pass on a failure."""
        for callback in self._callbacks:
            callback.failed(failure)

    def close(self) -> None:
        """Close all, even when one raises."""
        first, *others = self._callbacks or (None,)
        if first is None:
            return
        try:
            first.close()
        finally:
            CallbackList(others).close()
