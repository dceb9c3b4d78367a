"""Pass the events of a run to trackers, in threads, so that a tracker neither delays nor fails it."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from grasp_bench.core.errors import DamagedError
from grasp_bench.core.store import Artefact, Store
from grasp_bench.engine.callbacks import Callback
from grasp_bench.engine.publish import identity, settings_of
from grasp_bench.engine.tasks import Done, Failure, Progress
from grasp_bench.engine.trackers.registry import Parameter, State, TrackedRun, Tracker
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.nodes import Node

SECONDS_TO_SEND = 30.0  # for trackers to finish after the run
LOG = "log.jsonl"
OF_A_CURVE = ("epoch", "seconds")  # in a line of log.jsonl, besides its figures

Act = Callable[[Tracker], None]


class TrackerCallback(Callback):
    """A callback with one thread for each tracker; `warn` receives a line when a tracker fails.

    Each cell whose training starts, or whose metrics are made, is a tracked run. Progress events are
    throttled, so the epochs that were missed are logged when the cell is finished.
    """

    def __init__(
        self,
        trackers: Mapping[str, Tracker],
        cells: Sequence[Cell],
        spec: str,
        store: Store,
        warn: Callable[[str], None],
    ) -> None:
        self._store = store
        self._threads = [_TrackerThread(name, tracker, warn) for name, tracker in trackers.items()]
        self._runs = {cell.hash: _run_of(cell, spec) for cell in cells}
        self._readers: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            for node in cell.nodes.values():
                self._readers[node.hash].append(cell)
        self._logged: dict[str, set[int]] = {}  # logged epochs of open runs, by the cell's hash

    def started(self, node: Node) -> None:
        """Begin the runs of a training's cells."""
        if node.stage == "train":
            for cell in self._readers[node.hash]:
                self._begin(cell)

    def progress(self, progress: Progress) -> None:
        """Log a point of a training's curves."""
        if progress.node.stage == "train" and progress.event.figures:
            for cell in self._readers[progress.node.hash]:
                self._log(cell, progress.event.done, progress.event.figures)

    def finished(self, done: Done) -> None:
        """End a cell's run after its last node: log missed epochs and the final metrics."""
        for cell in self._readers[done.node.hash]:
            if cell.hash == done.node.hash:
                self._begin(cell)
                for epoch, figures in _curve(cell, self._store):
                    self._log(cell, epoch, figures)
                self._end(cell.hash, _final(self._store.get("metrics", cell.hash)), "finished")

    def failed(self, failure: Failure) -> None:
        """End the open runs that need a failed node."""
        for cell in self._readers[failure.node.hash]:
            self._end(cell.hash, {}, "failed")

    def close(self) -> None:
        """End open runs and wait a while for the trackers."""
        for digest in list(self._logged):
            self._end(digest, {}, "interrupted")
        for thread in self._threads:
            thread.close()

    def _begin(self, cell: Cell) -> None:
        if cell.hash not in self._logged:
            self._logged[cell.hash] = set()
            run = self._runs[cell.hash]
            self._submit(lambda tracker: tracker.begin(run))

    def _log(self, cell: Cell, epoch: int, figures: Mapping[str, float]) -> None:
        logged = self._logged.get(cell.hash)
        if logged is not None and epoch not in logged:
            logged.add(epoch)
            run = self._runs[cell.hash]
            self._submit(lambda tracker: tracker.log(run, epoch, figures))

    def _end(self, digest: str, figures: Mapping[str, float], state: State) -> None:
        if self._logged.pop(digest, None) is not None:
            run = self._runs[digest]
            self._submit(lambda tracker: tracker.end(run, figures, state))

    def _submit(self, act: Act) -> None:
        for thread in self._threads:
            thread.submit(act)


class _TrackerThread:
    """A tracker and its thread. The first error is reported once and switches the tracker off."""

    def __init__(self, name: str, tracker: Tracker, warn: Callable[[str], None]) -> None:
        self._name = name
        self._tracker = tracker
        self._warn = warn
        self._acts: SimpleQueue[Act | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def submit(self, act: Act) -> None:
        """Queue a call."""
        self._acts.put(act)

    def close(self) -> None:
        """Wait until all calls are done, at most SECONDS_TO_SEND."""
        self._acts.put(None)
        self._thread.join(SECONDS_TO_SEND)
        if self._thread.is_alive():
            self._warn(f"warning: {self._name} has not taken all in {SECONDS_TO_SEND:g} s; the rest is lost")

    def _work(self) -> None:
        while (act := self._acts.get()) is not None:
            try:
                act(self._tracker)
            except Exception as error:  # its library may raise anything
                said = " ".join(str(error).split()) or type(error).__name__
                self._warn(f"warning: tracker {self._name} is switched off, the run goes on: {said}")
                return


def _run_of(cell: Cell, spec: str) -> TrackedRun:
    known = identity(cell)
    named = ("hash", "dataset", "kind", "backbone", "enhancer", "ablation", "seed")
    tags = {key: str(known[key]) for key in named if known[key] is not None}
    return TrackedRun(
        cell.slug, spec, dict(_flat({"seed": cell.seed, **settings_of(cell)})), {"spec": spec, **tags}
    )


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Parameter]]:
    """Yield settings by dotted key, lists as JSON, without None."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        elif isinstance(value, str | int | float | bool):
            yield f"{before}{key}", value
        elif value is not None:
            yield f"{before}{key}", json.dumps(value, ensure_ascii=False)


def _curve(cell: Cell, store: Store) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the epochs in the log of the cell's training, if it is still there."""
    node = cell.nodes.get("train")
    if node is None or not store.has(node.stage, node.hash):
        return
    try:
        training = store.get(node.stage, node.hash)
        lines = training.file(LOG).read_text().splitlines() if training.has_file(LOG) else []
    except DamagedError:  # the next run reports it and makes it again
        return
    for line in lines:
        entry = json.loads(line)
        yield entry["epoch"], {key: value for key, value in entry.items() if key not in OF_A_CURVE}


def _final(metrics: Artefact) -> dict[str, float]:
    """Return every figure of metrics.json, by names such as `full/overall/NDCG@10`."""
    measured = json.loads(metrics.file("metrics.json").read_text())
    return {
        key.replace(".", "/"): float(value) for key, value in _flat(measured) if not isinstance(value, str)
    }
