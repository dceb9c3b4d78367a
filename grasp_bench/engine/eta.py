"""Estimate the time that a run still needs: the plan's estimate, corrected by measured nodes.

A running node's rest follows from its own progress. A node that has not started takes the plan's estimate
times the ratio of measured to estimated seconds of its kind, else of the most alike. Trainings stop early, so
they count with the number of epochs that trainings of their kind took.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.estimate import Estimate, wall_seconds
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.work import kind_of

SECONDS_BETWEEN_LOOKS = 1.0  # between estimates for the whole plan; bars are drawn ten times a second
OVERDUE = 0.1  # a node that should have ended takes this share of its time so far


@dataclass
class _Running:
    """A running node; `first` and `last` are (units done, time) of its reports."""

    began: float
    first: tuple[int, float] | None = None
    last: tuple[int, float] | None = None
    total: int = 0

    def seconds_per_unit(self) -> float | None:
        """Return None until two reports differ: the first may come from a resumed training."""
        if self.first is None or self.last is None or self.last[0] <= self.first[0]:
            return None
        return (self.last[1] - self.first[1]) / (self.last[0] - self.first[0])


class Eta(Callback):
    """A callback that estimates the seconds left. Its methods may be called from any thread."""

    def __init__(
        self,
        to_run: Sequence[Node],
        cells: Iterable[Cell],
        guess: Estimate,
        workers: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nodes = {node.hash: node for node in to_run}
        self._guess = guess
        self._workers = workers
        self._clock = clock
        self._lock = threading.RLock()
        self._running: dict[str, _Running] = {}
        self._took: dict[str, float] = {}
        self._left = set(self._nodes)
        self._looked: tuple[float, float] | None = None
        last = {cell.hash for cell in cells}
        self._unfinished = last & self._left
        self.cells = len(last)

    @property
    def cells_finished(self) -> int:
        """Number of cells with metrics, those of earlier runs included."""
        return self.cells - len(self._unfinished)

    def started(self, node: Node) -> None:
        """Note the start of a node."""
        with self._lock:
            self._running[node.hash] = _Running(self._clock())

    def progress(self, progress: Progress) -> None:
        """Note the progress of a node."""
        event, now = progress.event, self._clock()
        with self._lock:
            running = self._running.get(progress.node.hash)
            if running is None or not event.total:
                return
            if running.first is None or event.done < running.first[0] or event.total != running.total:
                running.first = (event.done, now)  # also when a stage begins its next task
            running.last, running.total = (event.done, now), event.total

    def finished(self, done: Done) -> None:
        """Note a finished node; a reused one says nothing about speed."""
        with self._lock:
            self._end(done.node)
            self._unfinished.discard(done.node.hash)
            if not done.reused:
                self._took[done.node.hash] = done.seconds

    def failed(self, failure: Failure) -> None:
        """Drop a failed node and all nodes that depend on it."""
        with self._lock:
            self._end(failure.node)
            lost = {failure.node.hash}
            for node in self._nodes.values():  # inputs come first
                if any(upstream.hash in lost for upstream in node.inputs.values()):
                    lost.add(node.hash)
            self._left -= lost

    def seconds_left(self) -> float:
        """Estimate the seconds until the run ends, with all workers."""
        with self._lock:
            now = self._clock()
            if self._looked is None or now - self._looked[0] >= SECONDS_BETWEEN_LOOKS:
                self._looked = now, self._look(now)
            return max(0.0, self._looked[1] - (now - self._looked[0]))

    def seconds_left_of(self, node: Node) -> float | None:
        """Estimate the seconds until a running node ends; None when unknown."""
        with self._lock:
            running = self._running.get(node.hash)
            return None if running is None else self._rest(node, running, self._factors(), self._clock())

    def rate_of(self, node: Node) -> float | None:
        """Return the units per second of a running node; None before the first."""
        with self._lock:
            running = self._running.get(node.hash)
            seconds = None if running is None else running.seconds_per_unit()
            return 1 / seconds if seconds else None

    def _end(self, node: Node) -> None:
        self._running.pop(node.hash, None)
        self._left.discard(node.hash)
        self._looked = None

    def _look(self, now: float) -> float:
        factors, left = self._factors(), [node for node in self._nodes.values() if node.hash in self._left]
        seconds = {}
        for node in left:
            running = self._running.get(node.hash)
            seconds[node.hash] = (
                self._expected(node, factors) if running is None else self._rest(node, running, factors, now)
            )
        return wall_seconds(left, seconds, self._workers)

    def _rest(
        self, node: Node, running: _Running, factors: dict[tuple[str, ...], float], now: float
    ) -> float:
        pace = running.seconds_per_unit()
        if pace is None or running.last is None:
            expected, took = self._expected(node, factors), now - running.began
            return max(expected - took, OVERDUE * min(took, expected))
        done, at = running.last
        return max(0.0, pace * self._units_left(node, done, running.total) - (now - at))

    def _units_left(self, node: Node, done: int, total: int) -> float:
        usual = min(total, self._guess.passes[node.hash]) if node.stage == "train" else total
        return max(usual - done, min(OVERDUE * done, total - done))

    def _expected(self, node: Node, factors: dict[tuple[str, ...], float]) -> float:
        found = (factors[level] for level in reversed(_levels(node)) if level in factors)
        return self._guess.node_seconds[node.hash] * next(found, 1.0)

    def _factors(self) -> dict[tuple[str, ...], float]:
        """Ratio of measured (or projected) to estimated seconds, by kind and by what kinds begin with."""
        measured = dict(self._took)
        for digest, running in self._running.items():
            pace = running.seconds_per_unit()
            if pace is not None and running.last is not None and digest in self._nodes:
                done, at = running.last
                rest = pace * self._units_left(self._nodes[digest], done, running.total)
                measured[digest] = at - running.began + rest
        took: dict[tuple[str, ...], float] = defaultdict(float)
        guessed: dict[tuple[str, ...], float] = defaultdict(float)
        for digest, seconds in measured.items():
            for level in _levels(self._nodes[digest]):
                took[level] += seconds
                guessed[level] += self._guess.node_seconds[digest]
        return {level: took[level] / guessed[level] for level in took if guessed[level] > 0}


def _levels(node: Node) -> list[tuple[str, ...]]:
    """Return the beginnings of a node's kind, from the stage to the whole."""
    kind = kind_of(node)
    return [kind[:length] for length in range(1, len(kind) + 1)]
