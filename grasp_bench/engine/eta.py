"""How far a run is, and about how long the rest takes: the plan's guess, mended by what was measured since.

What is left of a running node follows from its own progress. What has not begun is guessed as the plan
did, times how far the plan was out for nodes of that kind so far (of that stage, where there was none of
the kind). Trainings end by patience, nobody knows when: they count with as many epochs as trainings of
their kind took.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from grasp_bench.engine.failures import Failure
from grasp_bench.engine.tasks import Done, Progress
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.estimate import Estimate, kind_of_node, wall_seconds
from grasp_bench.plan.nodes import Node

SECONDS_BETWEEN_LOOKS = 1.0  # at the whole plan; bars are drawn ten times a second
OVERDUE = 0.1  # of what it took, is what a node still takes that should have ended


@dataclass
class _Running:
    """A node at work; `first` and `last` are (units done, when), as it said."""

    began: float
    first: tuple[int, float] | None = None
    last: tuple[int, float] | None = None
    total: int = 0

    def seconds_per_unit(self) -> float | None:
        """None until two reports differ: the first may be of a training that goes on from before."""
        if self.first is None or self.last is None or self.last[0] <= self.first[0]:
            return None
        return (self.last[1] - self.first[1]) / (self.last[0] - self.first[0])


class Eta:
    """Listens to a run. Safe to be asked from another thread than the one it is told in."""

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
        """Cells that have their figures, those from before among them."""
        return self.cells - len(self._unfinished)

    def note(self, line: str) -> None:
        """Tells nothing of the course."""

    def started(self, node: Node) -> None:
        """A node has begun."""
        with self._lock:
            self._running[node.hash] = _Running(self._clock())

    def progress(self, progress: Progress) -> None:
        """A node is so far."""
        event, now = progress.event, self._clock()
        with self._lock:
            running = self._running.get(progress.node.hash)
            if running is None or not event.total:
                return
            if running.first is None or event.done < running.first[0] or event.total != running.total:
                running.first = (event.done, now)  # also when a stage goes on to its next task
            running.last, running.total = (event.done, now), event.total

    def finished(self, done: Done) -> None:
        """A node is there; one that another process has made tells nothing of speed."""
        with self._lock:
            self._end(done.node)
            self._unfinished.discard(done.node.hash)
            if not done.reused:
                self._took[done.node.hash] = done.seconds

    def failed(self, failure: Failure) -> None:
        """A node is given up, and with it all that hangs on it."""
        with self._lock:
            self._end(failure.node)
            lost = {failure.node.hash}
            for node in self._nodes.values():  # inputs come first
                if any(upstream.hash in lost for upstream in node.inputs.values()):
                    lost.add(node.hash)
            self._left -= lost

    def close(self) -> None:
        """Nothing is held."""

    def seconds_left(self) -> float:
        """Of the whole run, by all workers."""
        with self._lock:
            now = self._clock()
            if self._looked is None or now - self._looked[0] >= SECONDS_BETWEEN_LOOKS:
                self._looked = now, self._look(now)
            return max(0.0, self._looked[1] - (now - self._looked[0]))

    def seconds_left_of(self, node: Node) -> float | None:
        """Of a node that runs; None where nothing tells."""
        with self._lock:
            running = self._running.get(node.hash)
            return None if running is None else self._rest(node, running, self._factors(), self._clock())

    def rate_of(self, node: Node) -> float | None:
        """Units a second of a node that runs, once there are any."""
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
        factor = factors.get(kind_of_node(node), factors.get((node.stage,), 1.0))
        return self._guess.node_seconds[node.hash] * factor

    def _factors(self) -> dict[tuple[str, ...], float]:
        """By kind and by stage: how much longer nodes took, or will by their own progress, than guessed."""
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
            node = self._nodes[digest]
            for kind in {kind_of_node(node), (node.stage,)}:
                took[kind] += seconds
                guessed[kind] += self._guess.node_seconds[digest]
        return {kind: took[kind] / guessed[kind] for kind in took if guessed[kind] > 0}
