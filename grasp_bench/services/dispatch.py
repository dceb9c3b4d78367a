"""Answer requests from the ledger or by the service: each is sent once, none beyond the budget.

Three threads share the work: the caller's pulls requests and looks up keys, the client thread's event loop
sends, the ledger writer's commits. So an interrupt reaches the caller between two waits.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grasp_bench.core import atomic
from grasp_bench.core.errors import StoreError
from grasp_bench.services.async_workers import AsyncWorkers, Counters
from grasp_bench.services.budget import SpendController
from grasp_bench.services.client import ServiceClient
from grasp_bench.services.ledger import Ledger, Spent
from grasp_bench.services.ledger_writer import LedgerWriter
from grasp_bench.services.requests import Kind, ServiceRequest, service_name
from grasp_bench.spec.service import Service

TICK_SECONDS = 0.2
# An interrupted worker process is killed after ten seconds (engine/worker.py).
GRACE_SECONDS = 5.0
LAST_SECONDS = 2.0  # for threads to end after the work


class ClientThread:
    """Runs the workers in a thread while the `with` block lasts.

    `tick` is called in the caller's thread whenever it waits. Leaving the block waits until all offered
    requests are answered; after an error it waits for requests in flight and raises the error. After an
    interrupt it waits for them for GRACE_SECONDS.
    """

    def __init__(self, workers: AsyncWorkers, tick: Callable[[], None]) -> None:
        self._workers = workers
        self._tick = tick
        self._loop = asyncio.new_event_loop()
        # The default handler prints exceptions, which may hold a key.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._work, name="requests", daemon=True)

    def __enter__(self) -> ClientThread:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._call_in_loop(self._workers.finish if error is None else self._workers.stop)
            self._wait(GRACE_SECONDS if isinstance(error, KeyboardInterrupt) else None)
        except KeyboardInterrupt:
            if error is None:
                self._call_in_loop(self._workers.stop)
                self._wait(GRACE_SECONDS)
            raise
        finally:
            self._call_in_loop(self._workers.abandon)  # does nothing when all is done
            self._thread.join(LAST_SECONDS)
        if self._workers.failure is not None and error is None:
            raise self._workers.failure.with_traceback(None) from None

    def offer(self, request: ServiceRequest) -> bool:
        """Hand over a request once there is room; return False when the workers have stopped."""
        while not self._workers.room.acquire(timeout=TICK_SECONDS):
            self._tick()
            if not self._thread.is_alive():
                return False
        if self._workers.failure is not None:
            return False
        self._call_in_loop(self._workers.offer, request)
        return True

    def _work(self) -> None:
        try:
            # The runner cancels tasks that libraries leave.
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._workers.run())
        except Exception as error:
            self._workers.failure = self._workers.failure or error

    def _call_in_loop(self, what: Callable[..., None], *about: ServiceRequest) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *about)
        except RuntimeError:  # the loop has ended
            return

    def _wait(self, seconds: float | None) -> None:
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._thread.is_alive() and (deadline is None or time.monotonic() < deadline):
            self._thread.join(TICK_SECONDS)
            self._tick()


LOOK_AHEAD = 256  # requests pulled and looked up at once


@dataclass(frozen=True)
class ServiceContext:
    """The ledger's path, the payer (a node's hash), the service, and a callback for the number of answered
    requests."""

    ledger: Path
    payer: str
    service: Service
    report: Callable[[int], None]


@dataclass(frozen=True)
class Summary:
    """Requests sent (`retried` of them again), requests answered from the ledger, and what the payer has
    spent in all runs."""

    sent: int
    reused: int
    retried: int
    spent: Spent

    def facts(self) -> dict[str, Any]:
        """Return the sidecar's record: this run's requests, and all that the payer has ever spent."""
        spent = self.spent
        return {
            "sent": self.sent, "reused": self.reused, "retried": self.retried,
            "input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens,
            "cost_usd": spent.cost_usd, "lost_requests": spent.lost_requests,
        }  # fmt: skip


def dispatch(kind: Kind, requests: Iterable[ServiceRequest], context: ServiceContext) -> Summary:
    """Answer every request from the ledger or by the service; return when all answers are on disk.

    Requests are pulled in the calling thread, as workers come free. Equal keys are sent once, also by several
    processes: those that share a ledger use a service one after the other. After an error, answers in flight
    are kept before it is raised.

    Raises BudgetError when the next request could exceed a limit, ServiceError when the service refuses
    for good or too often, StoreError when answers cannot be kept. Errors name the request by its `about`,
    and hold neither keys nor texts.

    Example:
        >>> context = ServiceContext(Path("requests.sqlite"), "node", service, print)
        >>> dispatch("chat", requests, context).sent  # doctest: +SKIP
        120
    """
    with _service_lock(context), Ledger(context.ledger) as ledger:
        run = _Dispatch(kind, context, ledger)
        with ExitStack() as stack:
            for request in run.unanswered(requests):
                thread = run.thread or run.start(stack)
                if not thread.offer(request):
                    break
        run.tick()
        return Summary(run.counters.sent, run.reused, run.counters.retried, ledger.spent(context.payer))


@contextmanager
def _service_lock(context: ServiceContext) -> Iterator[None]:
    """Wait until no other process uses this service with this ledger.

    Its answers are found afterwards. Two at once would both pay for shared prompts, and each would use the
    whole rate and concurrency limit.
    """
    path = context.ledger.with_suffix(f".{service_name(context.service)}.lock")
    try:
        lock = atomic.acquire(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from None
    try:
        yield
    finally:
        lock.release()


class _Dispatch:
    """The state of one dispatch in the calling thread."""

    def __init__(self, kind: Kind, context: ServiceContext, ledger: Ledger) -> None:
        self._kind: Kind = kind
        self._context = context
        self._ledger = ledger
        # Keys of requests handed over whose answers are not on disk yet; the client thread removes them.
        self._pending: set[bytes] = set()
        self._reported = -1
        self.reused = 0
        self.counters = Counters()
        self.thread: ClientThread | None = None

    def start(self, stack: ExitStack) -> ClientThread:
        """Prepare to send: find the key and the price, and import litellm, only when needed."""
        context = self._context
        client = ServiceClient(self._kind, context.service)
        writer = stack.enter_context(LedgerWriter(context.ledger))
        controller = SpendController(
            context.service, context.payer, writer, self._ledger.spent(context.payer)
        )
        workers = AsyncWorkers(context.service, client, controller, self._answered)
        self.counters = workers.counters
        self.thread = stack.enter_context(ClientThread(workers, self.tick))
        return self.thread

    def tick(self) -> None:
        """Report the number of answered requests if it has changed."""
        done = self.reused + self.counters.answered
        if done != self._reported:
            self._reported = done
            self._context.report(done)

    def unanswered(self, requests: Iterable[ServiceRequest]) -> Iterator[ServiceRequest]:
        """Yield requests without an answer, reduced to the keys that lack one."""
        source = iter(requests)
        while chunk := list(itertools.islice(source, LOOK_AHEAD)):
            keys = [key for request in chunk for key in request.keys]
            # In this order: a key that has just left `_pending` is on disk and is found there.
            known = {key for key in keys if key in self._pending}
            known |= {
                key for key, missing in zip(keys, self._ledger.missing(keys), strict=True) if not missing
            }
            for request in chunk:
                wanted = [key not in known for key in request.keys]
                known.update(request.keys)
                if not any(wanted):
                    self.reused += 1
                    continue
                self._pending.update(request.keys)
                yield request if all(wanted) else _cut_down(request, wanted)
            self.tick()

    def _answered(self, request: ServiceRequest) -> None:
        self._pending.difference_update(request.keys)


def _cut_down(request: ServiceRequest, wanted: list[bool]) -> ServiceRequest:
    """Return a batch of texts without those that are answered or in flight in another batch."""
    keys = tuple(itertools.compress(request.keys, wanted))
    texts = list(itertools.compress(request.arguments["input"], wanted))
    arguments: Mapping[str, object] = {**request.arguments, "input": texts}
    return replace(request, keys=keys, arguments=arguments)
