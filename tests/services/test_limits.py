"""Rates by a clock of our own: minutes pass in no time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grasp_bench.services.limits import Bucket, ConcurrencyLimiter, Permit, backoff, seconds_of
from grasp_bench.spec.service import Service


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def service(**rates: int) -> Service:
    return Service(model="openai/test", **rates)


@given(
    per_minute=st.integers(1, 3000),
    burst=st.floats(1, 100),
    pauses=st.lists(st.floats(0, 20), min_size=1, max_size=300),
)
def test_no_minute_has_more_than_its_allowance(per_minute: int, burst: float, pauses: list[float]) -> None:
    clock = Clock()
    bucket = Bucket(per_minute, burst, clock)
    taken: list[float] = []
    for pause in pauses:
        clock.now += pause
        clock.now += bucket.delay(1)
        bucket.take(1)
        taken.append(clock.now)
    for start in taken:
        assert sum(start <= moment < start + 60 - 1e-6 for moment in taken) <= per_minute


def test_a_busy_bucket_gives_all_that_it_may() -> None:
    clock = Clock()
    bucket = Bucket(600, 10.0, clock)
    count = 0
    while clock.now < 600:
        clock.now += bucket.delay(1)
        bucket.take(1)
        count += 1
    assert count == pytest.approx(6000, rel=0.02)


def test_more_than_a_bucket_holds_waits_for_a_full_one() -> None:
    clock = Clock()
    bucket = Bucket(60_000, 15_000, clock)
    bucket.take(10**6)
    wait = bucket.delay(10**6)
    assert 15 < wait < 25  # 15,000 at 45,000 a minute
    bucket.give_back(15_000)
    assert bucket.delay(10**6) == pytest.approx(0)


@given(attempt=st.integers(1, 10_000))
def test_backoff_is_bounded(attempt: int) -> None:
    assert 0 <= backoff(attempt) <= min(60, 2**attempt)


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_of("7") == 7
    assert seconds_of("0.25") == 0.25
    assert seconds_of("-3") == 0
    in_a_minute = datetime.now(UTC) + timedelta(seconds=60)
    assert seconds_of(format_datetime(in_a_minute, usegmt=True)) == pytest.approx(60, abs=2)
    assert seconds_of("Sun, 06 Nov 1994 08:49:37 GMT") == 0
    for nothing in (None, "", "soon", "nan", "inf"):
        assert seconds_of(nothing) is None


def enter_all(limiter: ConcurrencyLimiter) -> list[Permit]:
    """As many as are let in at once."""
    turns = []
    while (permit := limiter.try_acquire(1)) is not None:
        turns.append(permit)
    return turns


def test_refusals_halve_once_a_round_and_successes_add_one_a_round() -> None:
    clock = Clock()
    limiter = ConcurrencyLimiter(service(concurrency=64), clock)
    turns = enter_all(limiter)
    assert len(turns) == 64
    for permit in turns:  # all were sent before the first refusal was heard
        limiter.refused(permit, 5.0)
        limiter.release(permit, 0)
    assert limiter.limit == 32
    assert limiter.try_acquire(1) is None
    clock.now += 5.0
    turns = enter_all(limiter)
    assert len(turns) == 32
    for permit in turns:
        limiter.succeeded()
        limiter.release(permit, 1)
    assert limiter.limit == 32  # 32 successes add a little less than one
    limiter.succeeded()
    assert limiter.limit == 33
    for _ in range(64 * 64):
        limiter.succeeded()
    assert limiter.limit == 64
    for _ in range(20):
        permit = limiter.try_acquire(1)
        assert permit is not None
        limiter.refused(permit, 0.0)
        limiter.release(permit, 1)
        clock.now += 1
    assert limiter.limit == 1


def test_a_refusal_without_retry_after_backs_off_longer_each_time() -> None:
    clock = Clock()
    limiter = ConcurrencyLimiter(service(concurrency=4), clock)
    longest = 0.0
    for _ in range(12):
        permit = limiter.try_acquire(1)
        while permit is None:
            clock.now += 0.25
            permit = limiter.try_acquire(1)
        before = clock.now
        limiter.refused(permit, None)
        limiter.release(permit, 0)
        while (again := limiter.try_acquire(1)) is None:
            clock.now += 0.25
        limiter.release(again, 0)
        longest = max(longest, clock.now - before)
        assert longest <= 60.25
    assert longest > 4


def test_requests_wait_in_line_for_places_and_for_the_end_of_a_pause() -> None:
    async def run() -> list[int]:
        limiter = ConcurrencyLimiter(service(concurrency=1))
        order: list[int] = []

        async def request(number: int) -> None:
            permit = await limiter.acquire(1)
            order.append(number)
            if number == 0:
                limiter.refused(permit, 0.05)
            await asyncio.sleep(0.001)
            limiter.release(permit, 1)

        await asyncio.gather(*(request(k) for k in range(5)))
        return order

    assert asyncio.run(run()) == [0, 1, 2, 3, 4]


def test_tokens_a_minute_count_what_was_used_in_the_end() -> None:
    clock = Clock()
    limiter = ConcurrencyLimiter(service(concurrency=64, tokens_per_minute=4000), clock)
    permit = limiter.try_acquire(1000)  # a quarter of a minute's tokens may go at once
    assert permit is not None
    assert limiter.try_acquire(1000) is None
    limiter.release(permit, 0)
    assert limiter.try_acquire(1000) is not None


@pytest.mark.parametrize("bound", [500, 3000, 10**6])
def test_no_more_tokens_are_used_than_a_minute_has_however_far_the_bounds_are(bound: int) -> None:
    clock = Clock()
    limiter = ConcurrencyLimiter(service(concurrency=1, tokens_per_minute=4000), clock)
    used = 0
    while clock.now < 600:
        permit = limiter.try_acquire(bound)
        if permit is not None:
            limiter.release(permit, 400)
            used += 400
        clock.now += 0.1
    assert 0.5 * 40_000 < used <= 40_000 + 1000  # ten minutes, and what may go at once
