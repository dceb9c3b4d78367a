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
# Slots start one after the other, about as far apart as one call keeps the CPU: answers to requests that
# left together come together, again and again, and then each waits until all are read. (At 1 s latency
# and 64 slots that costs 8 % of the rate; further apart, each answer finds the CPU's caches cold.)
STEP_SECONDS = 0.005
MOST_SPREAD_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Ready:
    """A request that may leave: it has money and a place."""

    reserved: Reserved
    turn: Turn


# A slot's next request, if there is one already, and whether it may leave at once.
Following = tuple[Ask | None, Ready | None]


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
        # Places are given back by the block: each time, the thread that offers has to be woken.
        self._block = max(1, service.concurrency // 2)
        self._taken = 0
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
        number = self._service.concurrency
        step = min(STEP_SECONDS, MOST_SPREAD_SECONDS / number)
        self._tasks = {asyncio.create_task(self._slot(k * step)) for k in range(number)}
        if self._stopping:
            self.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._caller.close()

    async def _slot(self, delay: float) -> None:
        try:
            await asyncio.sleep(delay)
            ask, ready = await self._next(), None
            while ask is not None and not self._stopping:
                ask, ready = await self._serve(ask, ready)
                if ask is None:
                    ask = await self._next()
            self._discard(ready)
        except Exception as error:
            self.failure = self.failure or error
            self.stop()

    async def _next(self) -> Ask | None:
        ask = await self._queue.get()
        if ask is None:
            self._queue.put_nowait(None)  # for the other slots
            return None
        self._taken += 1
        if self._taken == self._block:
            self._taken = 0
            self.room.release(self._block)
        return ask

    async def _serve(self, ask: Ask, ready: Ready | None) -> Following:
        """Answer a request, trying again where that may help."""
        attempts = 0
        while not self._stopping:
            ready = ready or await self._prepare(ask)
            outcome = await self._attempt(ready)
            if not isinstance(outcome, Passing):
                return outcome
            ready = None
            attempts += outcome.status != BUSY
            pause = self._pause(ask, outcome, attempts)
            if not self._stopping:
                await asyncio.sleep(pause)
                self.tally.retried += 1
        return None, ready

    async def _prepare(self, ask: Ask) -> Ready:
        """Wait for a place, then for money: what waits for a place is noted nowhere as perhaps billed."""
        turn = await self._gate.enter(ask.most_input + ask.most_output)
        try:
            return Ready(await self._cashier.admit(ask), turn)
        except BaseException:
            self._gate.leave(turn, 0)
            raise

    def _ready_now(self, ask: Ask) -> Ready | None:
        """The same without waiting, and without the intention on disk."""
        turn = self._gate.enter_now(ask.most_input + ask.most_output)
        if turn is None:
            return None
        reserved = self._cashier.reserve(ask)
        if reserved is None:
            self._gate.leave(turn, 0)
            return None
        return Ready(reserved, turn)

    def _discard(self, ready: Ready | None) -> None:
        """It will not be sent."""
        if ready is not None:
            self._cashier.release(ready.reserved)
            self._gate.leave(ready.turn, 0)

    async def _attempt(self, ready: Ready) -> Following | Passing:
        """Send a request once; whatever comes of it, its reservation is settled and its place free."""
        task, reserved = asyncio.current_task(), ready.reserved
        self._busy.add(task)
        try:
            outcome = await self._send(ready)
            if isinstance(outcome, tuple):
                return await self._keep(reserved, outcome)
        finally:
            self._busy.discard(task)
        if outcome.perhaps_billed:
            self._cashier.lose(reserved)
        else:
            self._cashier.release(reserved)
        if isinstance(outcome, Lasting):
            raise lasting(reserved.ask.about, self._service.model, outcome)
        return outcome

    async def _send(self, ready: Ready) -> tuple[Answer, ...] | Passing | Lasting:
        self.tally.sent += 1
        used = ready.turn.tokens
        try:
            outcome = await self._caller.call(ready.reserved.ask)
            if isinstance(outcome, tuple):
                used = sum(answer.input_tokens + answer.output_tokens for answer in outcome)
                self._gate.succeeded()
            elif isinstance(outcome, Passing) and outcome.busy:
                self._gate.refused(ready.turn, outcome.retry_after)
            return outcome
        finally:
            self._gate.leave(ready.turn, used)

    async def _keep(self, reserved: Reserved, answers: tuple[Answer, ...]) -> Following:
        """Put answers on disk, and with them the intention of the slot's next request."""
        self._cashier.settle(reserved, answers)
        ask = None if self._stopping or self._queue.empty() else await self._next()
        ready = self._ready_now(ask) if ask else None
        try:
            await self._cashier.keep(reserved, answers, ready.reserved if ready else None)
        except BaseException:
            self._discard(ready)
            raise
        self.tally.answered += 1
        self._answered(reserved.ask)
        return ask, ready

    def _pause(self, ask: Ask, failure: Passing, attempts: int) -> float:
        """Seconds until the next attempt; ServiceError when there shall be none."""
        if failure.busy:  # the gate makes all requests wait
            quiet = self._gate.quiet_seconds + (failure.retry_after or 0.0)
            if quiet > MOST_REFUSED_SECONDS:
                raise refused_too_long(ask.about, self._service.model, failure, quiet)
        if failure.status == BUSY:
            return 0.0
        if attempts >= self._service.max_attempts:
            raise worn_out(ask.about, self._service.model, failure, attempts)
        return backoff(attempts)
