"""Run a plan: send ready nodes to the executor, and publish each cell once it is finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grasp_bench.core import machine
from grasp_bench.core.errors import DamagedError, GraspBenchError
from grasp_bench.core.store import Store
from grasp_bench.core.words import readable
from grasp_bench.engine import costs, diagnostics, tasks
from grasp_bench.engine.callbacks import Callback, CallbackList
from grasp_bench.engine.display import make_display
from grasp_bench.engine.eta import Eta
from grasp_bench.engine.publish import publish
from grasp_bench.engine.tasks import EXECUTORS, Broken, Done, End, Executor, Failure, Task, WorkerConfig
from grasp_bench.engine.trackers.registry import Tracker
from grasp_bench.engine.tracking import TrackerCallback
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.compile import Plan
from grasp_bench.plan.estimate import Estimate, estimate
from grasp_bench.plan.nodes import Node
from grasp_bench.plan.selection import Status, status


class Schedule:
    """Runs nodes, inputs first, and records failures.

    `threads` is one worker's share of the cores. A node of a single cell gets exactly that, so that its
    floating-point sums do not depend on what else runs; nodes that several cells need get idle cores as well.
    """

    def __init__(self, to_run: Sequence[Node], cells: Iterable[Cell], *, threads: int) -> None:
        self._pending = {node.hash: node for node in to_run}
        self._running: dict[str, Node] = {}
        self._readers = Counter(node.hash for cell in cells for node in cell.nodes.values())
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
            executor.submit(Task(node, threads))
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
            failure = tasks.record(end, store)
            self.failures[end.node.hash] = failure
            self._block(failure)
            callbacks.failed(failure)
        else:
            tasks.forget(end.node, store)
            callbacks.finished(end)

    def _block(self, failure: Failure) -> None:
        for node in list(self._pending.values()):  # inputs come first: one pass reaches all
            bad = {failure.node.hash, *self.blocked}
            if any(upstream.hash in bad for upstream in node.inputs.values()):
                self.blocked[node.hash] = failure
                del self._pending[node.hash]


PASSES = 4  # some damage shows only after earlier damage is repaired
STAGES = "grasp_bench.stages.context:STAGES"


@dataclass(frozen=True)
class RunConfig:
    """Where and how a plan is executed.

    `devices` has one entry for each worker and may repeat; `trackers` receive the run, by name.
    """

    store: Path
    results: Path
    devices: tuple[str, ...]
    executor: str = "process_pool"
    log_format: str = "auto"
    memory_mb: int = 512
    trackers: Mapping[str, Tracker] = field(default_factory=dict)
    stages: str = STAGES


@dataclass(frozen=True)
class Outcome:
    """The published cells, and for each other cell, by slug, the failure that stopped it."""

    finished: tuple[Cell, ...]
    failed: Mapping[str, Failure]

    @property
    def failures(self) -> list[Failure]:
        """Each failure once, however many cells depend on its node."""
        return list({failure.node.hash: failure for failure in self.failed.values()}.values())


def worker_devices(plan: Plan, choice: str, workers: int | None) -> tuple[str, ...]:
    """Return one device for each worker: all GPUs, or on CPU one worker for each core.

    Small models run faster side by side than on several threads; more workers than cells would only
    leave each with fewer cores.
    """
    devices = machine.devices(choice)
    if workers is None:
        workers = len(devices) if devices != ["cpu"] else machine.cores()
        workers = max(1, min(workers, len(plan.cells)))
    return tuple(devices[index % len(devices)] for index in range(workers))


def run_plan(plan: Plan, config: RunConfig) -> Outcome:
    """Make absent nodes and publish every cell as soon as it is finished.

    A failed node fails only the cells that need it. A damaged artefact is set aside by its reader and made
    again in another pass. KeyboardInterrupt ends the workers and passes through; their tasks can be resumed.
    Raises StoreError when nothing can be written.
    """
    store = Store(config.store)
    for _ in range(PASSES - 1):
        now = status(plan, store)
        try:
            outcome = _pass(plan, now, store, config)
        except DamagedError:
            continue
        if not any(
            now.states[node.hash] == "cached" and store.was_damaged(node.stage, node.hash)
            for node in plan.nodes
        ):
            return outcome
    return _pass(plan, status(plan, store), store, config)


def _pass(plan: Plan, now: Status, store: Store, config: RunConfig) -> Outcome:
    guess = estimate(plan, now.to_run, store, len(config.devices), config.devices[0])
    if now.to_run:
        diagnostics.check(store, config.results, guess.disk_mb)
        diagnostics.check_keys(now.to_run)
    callbacks = _callbacks(plan, now, guess, config)
    try:
        callbacks.note(opening(plan, now, guess))
        for node in now.to_run:
            if store.was_damaged(node.stage, node.hash):
                callbacks.note(
                    f"found damaged and set aside, made again: {node.label} ({node.stage}/{node.hash})"
                )
        for cell in now.done:
            publish(cell, plan.name, store, config.results)
        if not now.to_run:
            return Outcome(now.done, {})
        for name, tracker in config.trackers.items():
            callbacks.note(f"tracked by {name}: {tracker.place}")
        _show_quotes(now.to_run, store, callbacks)
        outcome = _execute(plan, now, store, config, callbacks)
        for spending in costs.spendings(now.to_run, store):
            callbacks.note(costs.spend_line(spending))
        return outcome
    finally:
        callbacks.close()


def _callbacks(plan: Plan, now: Status, guess: Estimate, config: RunConfig) -> Callback:
    """Callbacks, in order: ETA, trackers, display."""
    eta = Eta(now.to_run, plan.cells, guess, len(config.devices))
    display = make_display(config.log_format, len(now.to_run), eta)
    if not (config.trackers and now.to_run):
        return CallbackList([eta, display])
    tracking = TrackerCallback(config.trackers, plan.cells, plan.name, Store(config.store), display.note)
    return CallbackList([eta, tracking, display])


def _show_quotes(nodes: Sequence[Node], store: Store, callbacks: Callback) -> None:
    """Show what services will cost; unreadable data fails later, in its own stage."""
    try:
        for quote in costs.quotes_for(nodes, store, callbacks.note):
            callbacks.note(costs.quote_line(quote))
    except GraspBenchError as error:
        callbacks.note(f"no quote: {error.message}")


def opening(plan: Plan, now: Status, guess: Estimate) -> str:
    """Return the first line of a run: the work left, and whether the run resumes an earlier one."""
    cells, left = len(plan.cells), len(plan.cells) - len(now.done)
    counted = f"{cells} cell{'' if cells == 1 else 's'}, {len(plan.nodes)} nodes"
    if not now.to_run:
        return f"{counted}, nothing to do"
    about = f"{len(now.to_run)} to do, about {readable(guess.seconds)} (rough)"
    if now.done or now.started:
        return f"resuming {left}/{counted}, {about}"
    return f"{counted}, {about}"


def _execute(plan: Plan, now: Status, store: Store, config: RunConfig, callbacks: Callback) -> Outcome:
    threads = max(1, machine.cores() // len(config.devices))
    schedule = Schedule(now.to_run, plan.cells, threads=threads)
    cells = {cell.hash: cell for cell in plan.cells}
    unpublished: dict[str, Failure] = {}

    def finished(node: Node) -> None:
        if node.hash in cells:
            try:
                publish(cells[node.hash], plan.name, store, config.results)
            except GraspBenchError as error:
                unpublished[node.hash] = Failure(node, error.message, error.hint, None)

    worker_config = WorkerConfig(config.store, config.stages, config.memory_mb)
    executor = EXECUTORS.get(config.executor)(worker_config, list(config.devices), callbacks.progress)
    try:
        schedule.run(executor, config.store, callbacks, finished)
    except BaseException:
        executor.stop()
        raise
    executor.close()
    failed = {
        cell.slug: failure
        for cell in plan.cells
        if (failure := unpublished.get(cell.hash) or schedule.failure_of(cell)) is not None
    }
    done = tuple(cell for cell in plan.cells if cell.slug not in failed)
    return Outcome(done, failed)
