"""One way in: requests in, their answers in the ledger, each sent once and none beyond the budget.

The thread in which requests are sent, so that pulling asks and looking them up never holds one up.

Three threads share the work: the caller's pulls asks and looks keys up, this one's event loop sends,
the journal's writes. An interrupt reaches the caller's thread between two waits, whatever the others do.
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
from types import TracebackType

from grasp_bench.core import locks
from grasp_bench.core.errors import StoreError
from grasp_bench.services.async_workers import AsyncWorkers, Counters
from grasp_bench.services.budget import SpendController
from grasp_bench.services.client import ServiceClient
from grasp_bench.services.ledger import Ledger, Spent
from grasp_bench.services.ledger_writer import LedgerWriter
from grasp_bench.services.requests import Kind, ServiceRequest, service_name
from grasp_bench.spec.service import Service

TICK_SECONDS = 0.2
# An interrupted worker is given ten seconds (engine/worker.py) before it is killed.
GRACE_SECONDS = 5.0
LAST_SECONDS = 2.0  # for threads to end once nothing is waited for


class ClientThread:
    """Runs slots in a thread of its own, as long as the `with` block lasts.

    `tick` is called in the caller's thread whenever it waits. Leaving the block waits until what was
    offered is answered, or what is out has come back, and raises what went wrong. An interrupt waits
    for what is out as well, but not for long.
    """

    def __init__(self, workers: AsyncWorkers, tick: Callable[[], None]) -> None:
        self._workers = workers
        self._tick = tick
        self._loop = asyncio.new_event_loop()
        # What the loop would print of exceptions that nobody waits for may hold a key.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._work, name="requests", daemon=True)

    def __enter__(self) -> ClientThread:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._tell(self._workers.stop)
            else:
                self._tell(self._workers.finish)
            self._wait(GRACE_SECONDS if isinstance(error, KeyboardInterrupt) else None)
        except KeyboardInterrupt:
            if error is None:
                self._tell(self._workers.stop)
                self._wait(GRACE_SECONDS)
            raise
        finally:
            self._tell(self._workers.abandon)  # an empty gesture, where all is done
            self._thread.join(LAST_SECONDS)
        if self._workers.failure is not None and error is None:
            raise self._workers.failure.with_traceback(None) from None

    def offer(self, request: ServiceRequest) -> bool:
        """Hand a request over, once there is room; False when no more are taken."""
        while not self._workers.room.acquire(timeout=TICK_SECONDS):
            self._tick()
            if not self._thread.is_alive():
                return False
        if self._workers.failure is not None:
            return False
        self._tell(self._workers.offer, request)
        return True

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # cancels what libraries leave
                runner.run(self._workers.run())
        except Exception as error:
            self._workers.failure = self._workers.failure or error

    def _tell(self, what: Callable[..., None], *about: ServiceRequest) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *about)
        except RuntimeError:  # the loop has ended: there is nobody left to be told
            return

    def _wait(self, seconds: float | None) -> None:
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._thread.is_alive() and (deadline is None or time.monotonic() < deadline):
            self._thread.join(TICK_SECONDS)
            self._tick()


LOOK_AHEAD = 256  # asks pulled and looked up at once


@dataclass(frozen=True)
class ServiceContext:
    """Where answers are kept, whose budget pays (a node's hash), the service, and who is told how many
    asks are answered so far."""

    ledger: Path
    payer: str
    service: Service
    report: Callable[[int], None]


@dataclass(frozen=True)
class Summary:
    """Requests sent (`retried` of them again), asks that needed none, and what the payer has spent in all
    runs together."""

    sent: int
    reused: int
    retried: int
    spent: Spent


def dispatch(kind: Kind, requests: Iterable[ServiceRequest], context: ServiceContext) -> Summary:
    """Have every ask answered: from the ledger, or else by the service. Returns when all answers are kept.

    Asks are pulled in the calling thread, as slots come free. Equal keys are sent once, whichever process
    asks: those that share a ledger ask a service in turn. After any error, answers that are on their way
    are kept first.

    Raises BudgetError when the next request could exceed a limit, ServiceError when the service refuses
    for good or too often, StoreError when answers cannot be kept. They name `Ask.about`, and hold
    neither keys nor what was sent.
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
    """Wait until no other process asks this service for this ledger.

    What the other has answered is found then; two at once would pay for the prompts that they share, and
    would keep limits of rate and concurrency each for itself.
    """
    path = context.ledger.with_suffix(f".{service_name(context.service)}.lock")
    try:
        lock = locks.acquire(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from None
    try:
        yield
    finally:
        lock.release()


class _Dispatch:
    """One dispatch: what is known of it in the calling thread."""

    def __init__(self, kind: Kind, context: ServiceContext, ledger: Ledger) -> None:
        self._kind: Kind = kind
        self._context = context
        self._ledger = ledger
        # Keys handed over whose answers are not on disk yet: the crew's thread takes them out again.
        self._pending: set[bytes] = set()
        self._reported = -1
        self.reused = 0
        self.counters = Counters()
        self.thread: ClientThread | None = None

    def start(self, stack: ExitStack) -> ClientThread:
        """Prepare for sending: only now are keys looked for, prices asked, and litellm imported."""
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
        """Report, if there is news."""
        done = self.reused + self.counters.answered
        if done != self._reported:
            self._reported = done
            self._context.report(done)

    def unanswered(self, requests: Iterable[ServiceRequest]) -> Iterator[ServiceRequest]:
        """What has to be sent: asks with no answer yet, cut down to the keys that miss one."""
        source = iter(requests)
        while chunk := list(itertools.islice(source, LOOK_AHEAD)):
            keys = [key for request in chunk for key in request.keys]
            # In this order: a key that is pending no more is on disk, and is found there.
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
    """A batch of texts without those that are answered, or on their way in another batch."""
    keys = tuple(itertools.compress(request.keys, wanted))
    texts = list(itertools.compress(request.arguments["input"], wanted))
    arguments: Mapping[str, object] = {**request.arguments, "input": texts}
    return replace(request, keys=keys, arguments=arguments)
