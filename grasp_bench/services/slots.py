"""Slots: so many requests at once, each tried again where that may help, until all are answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

from grasp_bench.services.asking import Ask
from grasp_bench.services.calls import Caller
from grasp_bench.services.cashier import Cashier, Reserved
from grasp_bench.services.failures import Lasting, Passing, lasting, refused_too_long, worn_out
from grasp_bench.services.ledger import Answer
from grasp_bench.services.rates import Gate, Turn, backoff
from grasp_bench.spec.service import Service

# Too many requests: no attempt, for a provider that is busy for a while shall not end a night's run.
# This long without any success does.
BUSY = 429
MOST_REFUSED_SECONDS = 1800.0

# A slot's next request, if there is one already, and its reservation, if it fitted at once.
Following = tuple[Ask | None, Reserved | None]


@dataclass
class Tally:
    """What the slots have done so far; other threads may read it."""

    sent: int = 0
    retried: int = 0
    answered: int = 0


class Slots:
    """Answers what is `offer`ed until `finish`, or until something fails for good (then `failure` says it).

    Belongs to one event loop. Other threads may read `tally` and `failure`, and take a place in `room`
    for each request that they have offered. `answered` is called when a request's answers are on disk.
    """

    def __init__(
        self,
        service: Service,
        caller: Caller,
        cashier: Cashier,
        answered: Callable[[Ask], None],
    ) -> None:
        self._service = service
        self._caller = caller
        self._cashier = cashier
        self._answered = answered
        self._gate = Gate(service)
        self._queue: asyncio.Queue[Ask | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        # Slots whose request is out, or whose answer is not yet safe.
        self._busy: set[asyncio.Task[None] | None] = set()
        self._stopping = False
        # Requests that wait for a slot: enough for all slots at once, few enough to lie in memory.
        self.room = threading.Semaphore(2 * service.concurrency)
        self.tally = Tally()
        self.failure: Exception | None = None

    def offer(self, ask: Ask) -> None:
        """Put a request in the queue."""
        self._queue.put_nowait(ask)

    def finish(self) -> None:
        """No more requests will come."""
        self._queue.put_nowait(None)

    def stop(self) -> None:
        """Send nothing more; what is out is waited for, and its answers are kept."""
        self._stopping = True
        for task in self._tasks - self._busy:
            task.cancel()

    def abandon(self) -> None:
        """Wait for nothing more: requests that are out stay noted, as perhaps billed."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def run(self) -> None:
        """Work until there is no more to do."""
        self._tasks = {asyncio.create_task(self._slot()) for _ in range(self._service.concurrency)}
        if self._stopping:
            self.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._caller.close()

    async def _slot(self) -> None:
        try:
            ask, reserved = await self._next(), None
            while ask is not None and not self._stopping:
                ask, reserved = await self._serve(ask, reserved)
                if ask is None:
                    ask = await self._next()
            if reserved is not None:
                self._cashier.release(reserved)
        except Exception as error:
            self.failure = self.failure or error
            self.stop()

    async def _next(self) -> Ask | None:
        ask = await self._queue.get()
        if ask is None:
            self._queue.put_nowait(None)  # for the other slots
            return None
        self.room.release()
        return ask

    async def _serve(self, ask: Ask, reserved: Reserved | None) -> Following:
        """Answer a request, trying again where that may help."""
        attempts = 0
        while not self._stopping:
            reserved = reserved or await self._cashier.admit(ask)
            outcome = await self._attempt(reserved)
            if not isinstance(outcome, Passing):
                return outcome
            reserved = None
            attempts += outcome.status != BUSY
            await asyncio.sleep(self._pause(ask, outcome, attempts))
            self.tally.retried += 1
        return None, reserved

    async def _attempt(self, reserved: Reserved) -> Following | Passing:
        """Send a request once; whatever comes of it, the reservation is settled."""
        try:
            turn = await self._gate.enter(reserved.most.tokens)
        except asyncio.CancelledError:
            self._cashier.release(reserved)
            raise
        task = asyncio.current_task()
        self._busy.add(task)
        try:
            outcome = await self._send(reserved, turn)
            if isinstance(outcome, tuple):
                return await self._keep(reserved, outcome)
        finally:
            self._busy.discard(task)
        if isinstance(outcome, Passing) and outcome.perhaps_billed:
            self._cashier.lose(reserved)
        else:
            self._cashier.release(reserved)
        if isinstance(outcome, Lasting):
            raise lasting(reserved.ask.about, self._service.model, outcome)
        return outcome

    async def _send(self, reserved: Reserved, turn: Turn) -> tuple[Answer, ...] | Passing | Lasting:
        self.tally.sent += 1
        used = reserved.most.tokens
        try:
            outcome = await self._caller.call(reserved.ask)
            if isinstance(outcome, tuple):
                used = sum(answer.input_tokens + answer.output_tokens for answer in outcome)
                self._gate.succeeded()
            elif isinstance(outcome, Passing) and outcome.busy:
                self._gate.refused(turn, outcome.retry_after)
            return outcome
        finally:
            self._gate.leave(turn, used)

    async def _keep(self, reserved: Reserved, answers: tuple[Answer, ...]) -> Following:
        """Put answers on disk, and with them the intention of the slot's next request."""
        self._cashier.settle(reserved, answers)
        ask = None if self._stopping or self._queue.empty() else await self._next()
        following = self._cashier.reserve(ask) if ask else None
        try:
            await self._cashier.keep(reserved, answers, following)
        except asyncio.CancelledError:
            if following:
                self._cashier.release(following)
            raise
        self.tally.answered += 1
        self._answered(reserved.ask)
        return ask, following

    def _pause(self, ask: Ask, failure: Passing, attempts: int) -> float:
        """Seconds until the next attempt; ServiceError when there shall be none."""
        if failure.status == BUSY:  # the gate makes all requests wait
            quiet = self._gate.quiet_seconds + (failure.retry_after or 0.0)
            if quiet > MOST_REFUSED_SECONDS:
                raise refused_too_long(ask.about, self._service.model, failure, quiet)
            return 0.0
        if attempts >= self._service.max_attempts:
            raise worn_out(ask.about, self._service.model, failure, attempts)
        return backoff(attempts)
