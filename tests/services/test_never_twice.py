"""Killed at random points, twenty times: no answer that was kept is asked again, none is billed twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
from llm_server.launch import Running
from questionnaire import PAYER, answer_all, answer_elsewhere, answered, forkserver, service_at

from grasp_bench.services.ledger import Ledger
from grasp_bench.spec.service import Service

Start = Callable[..., Running]
CONCURRENCY = 8
QUESTIONS = 400
LATENCY = 0.03
EVENTS_OF_A_REQUEST = 3  # received, billed, answered


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return forkserver()


class Killer:
    """Runs the questions in a process, kills it somewhere, and notes what was lost."""

    def __init__(self, processes: ForkServerContext, server: Running, ledger: Path, service: Service) -> None:
        self._processes = processes
        self._server = server
        self._ledger = ledger
        self._service = service
        self.kept: set[str] = set()
        self.in_flight: list[set[str]] = []

    def kill_after(self, events: int, seconds: float) -> None:
        """Kill a run so many events of the server's log, and then so many seconds, after its start."""
        before = self._received()
        lines = self._lines()
        process = self._processes.Process(target=answer_all, args=(self._ledger, self._service, QUESTIONS))
        process.start()
        while process.is_alive() and self._lines() < lines + events:
            time.sleep(0.002)
        time.sleep(seconds)
        assert process.is_alive()
        process.kill()
        process.join()
        time.sleep(3 * LATENCY)  # the server finishes what it was asked, and bills it
        asked = self._received()[len(before) :]
        assert not self.kept & set(asked), "what the ledger held was asked again"
        self.kept = answered(self._ledger, self._service, QUESTIONS)
        self.in_flight.append(set(asked) - self.kept)
        assert len(self.in_flight[-1]) <= CONCURRENCY

    def _received(self) -> list[str]:
        return [event["key"] for event in self._server.counts().of("received")]

    def _lines(self) -> int:
        return self._server.log.read_bytes().count(b"\n")


def kill_often(killer: Killer, times: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(times):
        killer.kill_after(draw.randint(0, 12 * EVENTS_OF_A_REQUEST), draw.uniform(0, LATENCY))


def test_twenty_kills_and_not_one_duplicate_billing(
    llm_server: Start, tmp_path: Path, processes: ForkServerContext
) -> None:
    server = llm_server(latency=LATENCY, jitter=LATENCY / 2, honours_idempotency_key=True)
    ledger, service = tmp_path / "ledger.sqlite", service_at(server, concurrency=CONCURRENCY)
    killer = Killer(processes, server, ledger, service)
    kill_often(killer, times=20, seed=20)
    assert 20 < len(killer.kept) < QUESTIONS
    summary = answer_elsewhere(ledger, service, QUESTIONS)
    assert summary.reused == len(killer.kept)
    assert len(answered(ledger, service, QUESTIONS)) == QUESTIONS
    counts = server.counts()
    assert counts.distinct == counts.billed == QUESTIONS
    assert counts.twice_billed == {}
    assert counts.received - counts.distinct <= sum(map(len, killer.in_flight))
    with Ledger(ledger) as opened:
        spent = opened.spent(PAYER)
    assert spent.input_tokens + spent.output_tokens == counts.billed_tokens


def test_without_idempotency_only_what_was_in_flight_is_billed_again(
    llm_server: Start, tmp_path: Path, processes: ForkServerContext
) -> None:
    server = llm_server(latency=LATENCY, jitter=LATENCY / 2)
    ledger, service = tmp_path / "ledger.sqlite", service_at(server, concurrency=CONCURRENCY)
    killer = Killer(processes, server, ledger, service)
    kill_often(killer, times=4, seed=4)
    answer_elsewhere(ledger, service, QUESTIONS)
    counts = server.counts()
    billed = [event["key"] for event in counts.of("billed")]
    again = [key for key in set(billed) if billed.count(key) > 1]
    assert set(again) <= set().union(*killer.in_flight)
    assert len(billed) - len(set(billed)) <= sum(map(len, killer.in_flight))
    with Ledger(ledger) as opened:
        spent = opened.spent(PAYER)
    # What the ledger says may have been lost is no less than what was.
    lost = counts.billed_tokens - spent.input_tokens - spent.output_tokens
    assert 0 <= lost <= spent.lost_tokens
    assert spent.lost_requests >= len(billed) - len(set(billed))
