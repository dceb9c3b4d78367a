"""Limit the requests and tokens a minute of one key, and the number of requests in flight.

The number in flight follows the provider as TCP follows a network (additive increase, multiplicative
decrease; Chiu & Jain, "Analysis of the increase and decrease algorithms for congestion avoidance in
computer networks", 1989): a 429 or 503 halves it, every full round of successes adds one.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from grasp_bench.spec.service import Service

LONGEST_BACKOFF = 60.0
MINUTE = 60.0
BURST_SECONDS = 1.0  # of requests that may go out at once after a quiet time
TOKEN_BURST = 0.25  # of a minute's tokens: long prompts must fit


def backoff(attempt: int) -> float:
    """Return the seconds to wait after the attempt-th failure (1, 2, …): exponential with full jitter
    (Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015)."""
    return random.uniform(0.0, min(LONGEST_BACKOFF, 2.0 ** min(attempt, 16)))


def seconds_of(retry_after: str | None) -> float | None:
    """Return the seconds in a Retry-After header (a number or an HTTP date); None when unclear."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            date = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


class Bucket:
    """A token bucket: at most `per_minute` in any 60 seconds, at most `burst` at once, evenly otherwise."""

    def __init__(self, per_minute: float, burst: float, clock: Callable[[], float]) -> None:
        self._burst = min(burst, per_minute)
        # A full bucket and a minute's filling together are a minute's allowance, not more.
        self._per_second = (per_minute - self._burst + min(1.0, self._burst)) / MINUTE
        self._level = self._burst
        self._clock = clock
        self._filled_at = clock()

    def delay(self, amount: float) -> float:
        """Return the seconds until an amount can be taken; more than the bucket holds counts as all of it."""
        self._fill()
        return max(0.0, (min(amount, self._burst) - self._level) / self._per_second)

    def take(self, amount: float) -> float:
        """Take an amount, after `delay` returned 0; return what was really taken."""
        self._fill()
        taken = min(amount, self._burst)
        self._level -= taken
        return taken

    def give_back(self, amount: float) -> None:
        """Return an unused amount; negative when more was used than the bucket held."""
        self._fill()
        self._level = min(self._burst, self._level + amount)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._per_second)
        self._filled_at = now


@dataclass(frozen=True, slots=True)
class Permit:
    """The permission to send one request: its round, and the tokens taken for it."""

    round: int
    tokens: float


class ConcurrencyLimiter:
    """Gives permits to requests in order of arrival. Use it in one event loop."""

    def __init__(self, service: Service, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._most = service.concurrency
        self._limit = float(service.concurrency)
        self._flying = 0
        self._round = 0  # of halvings
        self._halved_in_a_row = 0
        self._open_at = -math.inf
        self._line = asyncio.Lock()  # its holder is first in the queue
        self._changed = asyncio.Event()
        rpm, tpm = service.requests_per_minute, service.tokens_per_minute
        self._requests = Bucket(rpm, max(1.0, rpm * BURST_SECONDS / MINUTE), clock) if rpm else None
        self._tokens = Bucket(tpm, max(1.0, tpm * TOKEN_BURST), clock) if tpm else None
        self._succeeded_at = clock()

    @property
    def limit(self) -> int:
        """The number of requests that may be in flight now."""
        return int(self._limit)

    @property
    def quiet_seconds(self) -> float:
        """Seconds since the last success, or since the start."""
        return self._clock() - self._succeeded_at

    async def acquire(self, tokens: int) -> Permit:
        """Wait for a place, the end of a pause, and the buckets; `tokens` is the request's upper bound."""
        async with self._line:
            while (delay := self._delay(tokens)) > 0:
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), None if math.isinf(delay) else delay)
            return self._admit(tokens)

    def try_acquire(self, tokens: int) -> Permit | None:
        """Return a permit without waiting; None when this or an earlier request must wait."""
        if self._line.locked() or self._delay(tokens) > 0:
            return None
        return self._admit(tokens)

    def release(self, permit: Permit, used_tokens: float) -> None:
        """End a request, answered or not; all tokens it used count, even beyond the bucket."""
        self._flying -= 1
        if self._tokens:
            self._tokens.give_back(permit.tokens - used_tokens)
        self._changed.set()

    def succeeded(self) -> None:
        """Note a success; a full round of them raises the limit by one."""
        self._limit = min(self._most, self._limit + 1 / self._limit)
        self._halved_in_a_row = 0
        self._succeeded_at = self._clock()

    def refused(self, permit: Permit, retry_after: float | None) -> None:
        """Note a 429 or 503: halve the limit once a round, since older requests are in flight, and pause."""
        if permit.round == self._round:
            self._round += 1
            self._halved_in_a_row += 1
            self._limit = max(1.0, self._limit / 2)
        pause = backoff(self._halved_in_a_row) if retry_after is None else retry_after
        self._open_at = max(self._open_at, self._clock() + pause)
        self._changed.set()

    def _admit(self, tokens: int) -> Permit:
        self._flying += 1
        if self._requests:
            self._requests.take(1)
        return Permit(self._round, self._tokens.take(tokens) if self._tokens else 0.0)

    def _delay(self, tokens: int) -> float:
        if self._flying >= self.limit:
            return math.inf
        waits = [self._open_at - self._clock()]
        if self._requests:
            waits.append(self._requests.delay(1))
        if self._tokens:
            waits.append(self._tokens.delay(tokens))
        return max(waits)
