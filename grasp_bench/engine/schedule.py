"""Send ready nodes to the executor and drop nodes that depend on a failed one."""

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
    """Runs nodes, inputs first, and records failures.

    `threads` is one worker's share of the cores. A node of a single cell gets exactly that, so that its
    floating-point sums do not depend on what else runs; nodes that several cells need get idle cores as well.
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
        """Run until no node is ready; call `finished` for each node that enters the store."""
        while self._pending or self._running:
            self._submit(executor, callbacks)
            for end in executor.wait():
                self._take(end, store, callbacks)
                if isinstance(end, Done):
                    finished(end.node)

    def failure_of(self, cell: Cell) -> Failure | None:
        """Return the failure that stops a cell, if there is one."""
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
        """Return ready nodes: shared ones first, then cell by cell, so that results come early."""
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
