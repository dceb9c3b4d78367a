"""Limits of tokens and dollars hold for what the server bills, also when runs are killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llm_server.launch import Running
from llm_server.settings import Fault
from questionnaire import PRICE, answer_all, answered, forkserver, service_at

from grasp_bench.core.errors import BudgetError

Start = Callable[..., Running]
QUESTIONS = 200


def dollars(server: Running) -> float:
    millionths = (
        event["input_tokens"] * PRICE.input_per_million + event["output_tokens"] * PRICE.output_per_million
        for event in server.counts().of("billed")
    )
    return sum(millionths) / 1e6


LIMITS = [
    pytest.param({"max_tokens_total": 1500}, lambda server: server.counts().billed_tokens, 1500, id="tokens"),
    pytest.param({"max_cost_usd": 0.006}, dollars, 0.006, id="dollars"),
]


@pytest.mark.parametrize(("limit", "billed", "most"), LIMITS)
def test_a_limit_stops_cleanly_and_a_higher_one_goes_on(
    llm_server: Start, tmp_path: Path, limit: dict[str, Any], billed: Callable[[Running], float], most: float
) -> None:
    server = llm_server(latency=0.01)
    ledger, service = tmp_path / "ledger.sqlite", service_at(server, **limit)
    with pytest.raises(BudgetError, match=next(iter(limit))):
        answer_all(ledger, service, QUESTIONS)
    assert most / 2 < billed(server) <= most
    kept = answered(ledger, service, QUESTIONS)
    assert len(kept) == server.counts().billed  # nothing was in flight when it stopped
    more = {name: value * 100 if name.startswith("max") else value for name, value in limit.items()}
    answer_all(ledger, service_at(server, **more), QUESTIONS)
    counts = server.counts()
    assert counts.received == counts.distinct == counts.billed == QUESTIONS


@pytest.mark.parametrize(("limit", "billed", "most"), LIMITS)
def test_kills_do_not_stretch_a_limit(
    llm_server: Start, tmp_path: Path, limit: dict[str, Any], billed: Callable[[Running], float], most: float
) -> None:
    server = llm_server(latency=0.05)
    ledger, service = tmp_path / "ledger.sqlite", service_at(server, **limit)
    for kills in range(1, 4):
        process = forkserver().Process(target=answer_all, args=(ledger, service, QUESTIONS))
        process.start()
        while process.is_alive() and server.counts().received < 6 * kills:
            time.sleep(0.005)
        process.kill()
        process.join()
    time.sleep(0.15)  # what was in flight is billed although nobody gets it
    with pytest.raises(BudgetError):
        answer_all(ledger, service, QUESTIONS)
    assert 0 < billed(server) <= most


def test_lost_answers_count_against_the_limit(llm_server: Start, tmp_path: Path) -> None:
    """Each is generated and billed, and none arrives: only a bound on what was sent can stop it."""
    server = llm_server(faults=[Fault("cut_body")])
    service = service_at(server, max_tokens_total=1500, max_attempts=100)
    with pytest.raises(BudgetError):
        answer_all(tmp_path / "ledger.sqlite", service, QUESTIONS)
    assert 0 < server.counts().billed_tokens <= 1500
