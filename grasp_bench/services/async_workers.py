"""Async workers that send requests concurrently and retry them until all are answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

from grasp_bench.services.budget import Reservation, SpendController
from grasp_bench.services.client import ServiceClient
from grasp_bench.services.errors import (
    PermanentError,
    TransientError,
    attempts_exhausted,
    permanent_error,
    rate_limited_too_long,
)
from grasp_bench.services.ledger import Answer
from grasp_bench.services.limits import ConcurrencyLimiter, Permit, backoff
from grasp_bench.services.requests import ServiceRequest
from grasp_bench.spec.service import Service

# A 429 is not counted as an attempt; 30 minutes without a success end the run.
BUSY = 429
MOST_REFUSED_SECONDS = 1800.0
# Workers start one after the other, as far apart as the CPU time of one call. Answers to requests sent
# together arrive together and then wait for each other. (At 1 s latency and 64 workers that costs 8 % of
# the rate; further apart, each answer finds the CPU's caches cold.)
STEP_SECONDS = 0.005
MOST_SPREAD_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Ready:
    """A request that may be sent: it has a reservation and a permit."""

    reservation: Reservation
    permit: Permit


# A worker's next request, if there is one, and its reservation and permit, if it has them.
Following = tuple[ServiceRequest | None, Ready | None]


@dataclass
class Counters:
    """Counts of the workers' requests; other threads may read them."""

    sent: int = 0
    retried: int = 0
    answered: int = 0


class AsyncWorkers:
    """Answer offered requests until `finish`, or until an error, which is then in `failure`.

    Belongs to one event loop. Other threads may read `tally` and `failure`, and take a place in `room`
    for each request that they have offered. `answered` is called when a request's answers are on disk.
    """

    def __init__(
        self,
        service: Service,
        client: ServiceClient,
        controller: SpendController,
        answered: Callable[[ServiceRequest], None],
    ) -> None:
        self._service = service
        self._client = client
        self._controller = controller
        self._answered = answered
        self._limiter = ConcurrencyLimiter(service)
        self._queue: asyncio.Queue[ServiceRequest | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        # Workers whose request is in flight, or whose answer is not yet on disk.
        self._busy: set[asyncio.Task[None] | None] = set()
        self._stopping = False
        # Requests that wait for a worker: enough for all workers, few enough for memory.
        self.room = threading.Semaphore(2 * service.concurrency)
        # Places are released in blocks, since each release wakes the offering thread.
        self._block = max(1, service.concurrency // 2)
        self._taken = 0
        self.counters = Counters()
        self.failure: Exception | None = None

    def offer(self, request: ServiceRequest) -> None:
        """Queue a request."""
        self._queue.put_nowait(request)

    def finish(self) -> None:
        """Say that no more requests will come."""
        self._queue.put_nowait(None)

    def stop(self) -> None:
        """Send nothing more; wait for requests in flight and keep their answers."""
        self._stopping = True
        for task in self._tasks - self._busy:
            task.cancel()

    def abandon(self) -> None:
        """Stop waiting: requests in flight stay in the ledger as perhaps billed."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def run(self) -> None:
        """Run until all requests are answered or the workers are stopped."""
        number = self._service.concurrency
        step = min(STEP_SECONDS, MOST_SPREAD_SECONDS / number)
        self._tasks = {asyncio.create_task(self._work(k * step)) for k in range(number)}
        if self._stopping:
            self.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    async def _work(self, delay: float) -> None:
        try:
            await asyncio.sleep(delay)
            request, ready = await self._next(), None
            while request is not None and not self._stopping:
                request, ready = await self._serve(request, ready)
                if request is None:
                    request = await self._next()
            self._discard(ready)
        except Exception as error:
            self.failure = self.failure or error
            self.stop()

    async def _next(self) -> ServiceRequest | None:
        request = await self._queue.get()
        if request is None:
            self._queue.put_nowait(None)  # for the other workers
            return None
        self._taken += 1
        if self._taken == self._block:
            self._taken = 0
            self.room.release(self._block)
        return request

    async def _serve(self, request: ServiceRequest, ready: Ready | None) -> Following:
        """Answer a request, retrying transient errors."""
        attempts = 0
        while not self._stopping:
            ready = ready or await self._prepare(request)
            outcome = await self._attempt(ready)
            if not isinstance(outcome, TransientError):
                return outcome
            ready = None
            attempts += outcome.status != BUSY
            pause = self._pause(request, outcome, attempts)
            if not self._stopping:
                await asyncio.sleep(pause)
                self.counters.retried += 1
        return None, ready

    async def _prepare(self, request: ServiceRequest) -> Ready:
        """Wait for a permit, then for a reservation: a request without permit has no ledger entry."""
        permit = await self._limiter.acquire(request.most_input + request.most_output)
        try:
            return Ready(await self._controller.admit(request), permit)
        except BaseException:
            self._limiter.release(permit, 0)
            raise

    def _ready_now(self, request: ServiceRequest) -> Ready | None:
        """Take permit and reservation without waiting; the write-ahead entry is not on disk yet."""
        permit = self._limiter.try_acquire(request.most_input + request.most_output)
        if permit is None:
            return None
        reservation = self._controller.reserve(request)
        if reservation is None:
            self._limiter.release(permit, 0)
            return None
        return Ready(reservation, permit)

    def _discard(self, ready: Ready | None) -> None:
        """Cancel a request that will not be sent."""
        if ready is not None:
            self._controller.release(ready.reservation)
            self._limiter.release(ready.permit, 0)

    async def _attempt(self, ready: Ready) -> Following | TransientError:
        """Send a request once; settle its reservation and release its permit in every case."""
        task, reservation = asyncio.current_task(), ready.reservation
        self._busy.add(task)
        try:
            outcome = await self._send(ready)
            if isinstance(outcome, tuple):
                return await self._keep(reservation, outcome)
        finally:
            self._busy.discard(task)
        if outcome.perhaps_billed:
            self._controller.lose(reservation)
        else:
            self._controller.release(reservation)
        if isinstance(outcome, PermanentError):
            raise permanent_error(reservation.request.about, self._service.model, outcome)
        return outcome

    async def _send(self, ready: Ready) -> tuple[Answer, ...] | TransientError | PermanentError:
        self.counters.sent += 1
        used = ready.permit.tokens
        try:
            outcome = await self._client.call(ready.reservation.request)
            if isinstance(outcome, tuple):
                used = sum(answer.input_tokens + answer.output_tokens for answer in outcome)
                self._limiter.succeeded()
            elif isinstance(outcome, TransientError) and outcome.busy:
                self._limiter.refused(ready.permit, outcome.retry_after)
            return outcome
        finally:
            self._limiter.release(ready.permit, used)

    async def _keep(self, reservation: Reservation, answers: tuple[Answer, ...]) -> Following:
        """Commit the answers together with the write-ahead entry of the worker's next request."""
        self._controller.settle(reservation, answers)
        request = None if self._stopping or self._queue.empty() else await self._next()
        ready = self._ready_now(request) if request else None
        try:
            await self._controller.keep(reservation, answers, ready.reservation if ready else None)
        except BaseException:
            self._discard(ready)
            raise
        self.counters.answered += 1
        self._answered(reservation.request)
        return request, ready

    def _pause(self, request: ServiceRequest, failure: TransientError, attempts: int) -> float:
        """Return the seconds until the next attempt; raise ServiceError when there is none."""
        if failure.busy:  # the limiter makes all requests wait
            quiet = self._limiter.quiet_seconds + (failure.retry_after or 0.0)
            if quiet > MOST_REFUSED_SECONDS:
                raise rate_limited_too_long(request.about, self._service.model, failure, quiet)
        if failure.status == BUSY:
            return 0.0
        if attempts >= self._service.max_attempts:
            raise attempts_exhausted(request.about, self._service.model, failure, attempts)
        return backoff(attempts)
