"""The order of things: ready nodes go to the executor, what hangs on a failed one is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from grasp_bench.engine import failures
from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.failures import Failure
from grasp_bench.engine.tasks import Broken, Done, End, Executor, Task
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.nodes import Node


class Schedule:
    """Runs nodes (inputs first) and remembers which failed.

    `share` is the threads of one of several workers. Nodes of a single cell always get exactly
    that, so that their sums do not depend on what else was left to do; nodes that several cells
    wait for get the idle cores as well.
    """

    def __init__(
        self, to_run: Sequence[Node], cells: Iterable[Cell], work: Mapping[str, float], *, threads: int
    ) -> None:
        self._pending = {node.hash: node for node in to_run}
        self._running: dict[str, Node] = {}
        self._readers = Counter(node.hash for cell in cells for node in cell.nodes.values())
        self._work = work
        self._threads = threads
        self.failures: dict[str, Failure] = {}
        self.blocked: dict[str, Failure] = {}

    def run(
        self, executor: Executor, store: Path, callbacks: Callback, finished: Callable[[Node], None]
    ) -> None:
        """Run until nothing can; `finished` is called for each node as it enters the store."""
        while self._pending or self._running:
            self._submit(executor, callbacks)
            for end in executor.wait():
                self._take(end, store, callbacks)
                if isinstance(end, Done):
                    finished(end.node)

    def failure_of(self, cell: Cell) -> Failure | None:
        """The failure that keeps a cell from being finished."""
        found = (self.failures.get(node.hash) or self.blocked.get(node.hash) for node in cell.nodes.values())
        return next((failure for failure in found if failure is not None), None)

    def _submit(self, executor: Executor, callbacks: Callback) -> None:
        ready = self._ready()
        starting = ready[: executor.slots - len(self._running)]
        at_once = len(self._running) + len(starting)
        for node in starting:
            shared = self._readers[node.hash] > 1
            threads = (
                max(self._threads, self._threads * executor.slots // at_once) if shared else self._threads
            )
            executor.submit(Task(node, threads, self._work.get(node.hash, 0.0)))
            self._running[node.hash] = self._pending.pop(node.hash)
            callbacks.started(node)

    def _ready(self) -> list[Node]:
        """What several cells wait for comes first; then cell by cell, so that results come early."""
        absent = self._pending.keys() | self._running.keys()
        ready = [
            node
            for node in self._pending.values()
            if not any(upstream.hash in absent for upstream in node.inputs.values())
        ]
        return sorted(ready, key=lambda node: self._readers[node.hash] == 1)

    def _take(self, end: End, store: Path, callbacks: Callback) -> None:
        del self._running[end.node.hash]
        if isinstance(end, Broken):
            failure = failures.record(end, store)
            self.failures[end.node.hash] = failure
            self._block(failure)
            callbacks.failed(failure)
        else:
            failures.forget(end.node, store)
            callbacks.finished(end)

    def _block(self, failure: Failure) -> None:
        for node in list(self._pending.values()):  # inputs come first: one pass reaches all
            bad = {failure.node.hash, *self.blocked}
            if any(upstream.hash in bad for upstream in node.inputs.values()):
                self.blocked[node.hash] = failure
                del self._pending[node.hash]
