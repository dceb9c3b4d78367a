"""Callbacks of a run: the base class, and a list that calls several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.plan.nodes import Node


class Callback:
    """Receives the events of a run, in the thread that runs the plan, so methods must return quickly.

    Example:
        >>> class Bell(Callback):
        ...     def finished(self, done: Done) -> None:
        ...         print("\\a")
    """

    def note(self, line: str) -> None:
        """Receive a line for people."""

    def started(self, node: Node) -> None:
        """Receive the start of a node."""

    def progress(self, progress: Progress) -> None:
        """Receive progress of a node."""

    def finished(self, done: Done) -> None:
        """Receive the end of a node."""

    def failed(self, failure: Failure) -> None:
        """Receive a failure."""

    def close(self) -> None:
        """Receive the end of the run."""


class CallbackList(Callback):
    """Calls several callbacks in the given order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = tuple(callbacks)

    def note(self, line: str) -> None:
        for callback in self._callbacks:
            callback.note(line)

    def started(self, node: Node) -> None:
        for callback in self._callbacks:
            callback.started(node)

    def progress(self, progress: Progress) -> None:
        for callback in self._callbacks:
            callback.progress(progress)

    def finished(self, done: Done) -> None:
        for callback in self._callbacks:
            callback.finished(done)

    def failed(self, failure: Failure) -> None:
        for callback in self._callbacks:
            callback.failed(failure)

    def close(self) -> None:
        """Close all, even when one raises."""
        with ExitStack() as stack:
            for callback in reversed(self._callbacks):
                stack.callback(callback.close)
