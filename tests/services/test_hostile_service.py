"""Services that limit, fail, stall, cut connections, answer nonsense: in the end everything is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llm_server.launch import Running
from llm_server.settings import Fault
from questionnaire import MAX_TOKENS, PAYER, answer_all, answered, service_at

from grasp_bench.core.errors import ServiceError
from grasp_bench.services import async_workers, limits
from grasp_bench.services.ledger import Ledger
from grasp_bench.services.limits import backoff
from grasp_bench.services.tokens import most_tokens

Start = Callable[..., Running]
QUESTIONS = 30


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts, which the service did not ask for, are a twentieth as long."""
    for module in (async_workers, limits):
        monkeypatch.setattr(module, "backoff", lambda attempt: backoff(attempt) / 20)


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([Fault("status", rate=0.2, status=500)], id="500"),
        pytest.param([Fault("status", first=3, status=503, retry_after=1)], id="503-retry-after"),
        pytest.param([Fault("stall", first=3)], id="stalls"),
        pytest.param([Fault("cut", rate=0.2)], id="cut-before-the-answer"),
        pytest.param([Fault("cut_body", rate=0.2)], id="cut-within-the-answer"),
        pytest.param([Fault("malformed", rate=0.2)], id="malformed"),
        pytest.param(
            [
                Fault("status", rate=0.08, status=500),
                Fault("cut", rate=0.08),
                Fault("cut_body", rate=0.08),
                Fault("malformed", rate=0.08),
                Fault("status", rate=0.08, status=408),
            ],
            id="all-at-once",
        ),
    ],
)
def test_everything_is_answered_and_billed_once(
    llm_server: Start, tmp_path: Path, soon: None, faults: list[Fault]
) -> None:
    server = llm_server(latency=0.01, seed=5, faults=faults, honours_idempotency_key=True)
    ledger, service = tmp_path / "ledger.sqlite", service_at(server, timeout_seconds=3.0)
    summary = answer_all(ledger, service, QUESTIONS)
    assert len(answered(ledger, service, QUESTIONS)) == QUESTIONS
    counts = server.counts()
    assert counts.received > counts.distinct == QUESTIONS
    assert counts.billed == QUESTIONS
    assert summary.retried >= counts.received - QUESTIONS  # some may have been given up on their way
    assert counts.peak_in_flight <= service.concurrency


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_no_request_comes_before_retry_after(llm_server: Start, tmp_path: Path, form: str) -> None:
    server = llm_server(latency=0.01, requests_per_second=4, retry_after=form)
    ledger, service = tmp_path / "ledger.sqlite", service_at(server)
    answer_all(ledger, service, 10)
    assert len(answered(ledger, service, 10)) == 10
    counts = server.counts()
    assert counts.statuses[429] > 0
    assert counts.twice_billed == {}
    arrivals = [(event["at"], event["key"]) for event in counts.of("received")]
    for began, key in _refused(server):
        within = [later for later in arrivals if began < later[0] < began + 1]
        assert key not in [other for _, other in within]
        # Those that were on their way when the first refusal came: no slot opened since.
        assert len(within) < service.concurrency


def _refused(server: Running) -> Iterator[tuple[float, str]]:
    """Time and key of each first refusal after a second of none, and of no other."""
    keys = {event["n"]: event["key"] for event in server.counts().of("received")}
    before = 0.0
    for event in server.counts().of("answered"):
        if event["status"] == 429 and event["at"] > before + 1:
            before = event["at"]
            yield before, keys[event["n"]]


def test_a_limit_without_retry_after_is_found_by_backing_off(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server(latency=0.01, requests_per_second=20, retry_after="absent")
    ledger, service = tmp_path / "ledger.sqlite", service_at(server)
    answer_all(ledger, service, QUESTIONS)
    assert len(answered(ledger, service, QUESTIONS)) == QUESTIONS
    assert server.counts().twice_billed == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"api_key": "sk-another"}, "key", id="401"),
        pytest.param({"faults": [Fault("status", status=404)]}, "test", id="no-such-model"),
        pytest.param({"faults": [Fault("status", status=400)]}, "items '", id="refused-for-good"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(
    llm_server: Start, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    server = llm_server(**settings)
    service = service_at(server, concurrency=4)
    with pytest.raises(ServiceError, match=message):
        answer_all(tmp_path / "ledger.sqlite", service, QUESTIONS)
    assert server.counts().received <= 4
    assert server.counts().repeats == {}


def test_attempts_are_used_up(llm_server: Start, tmp_path: Path, soon: None) -> None:
    server = llm_server(faults=[Fault("status", status=503, matching='question 3"')])
    ledger, service = tmp_path / "ledger.sqlite", service_at(server, max_attempts=3)
    with pytest.raises(ServiceError, match="items '3'"):
        answer_all(ledger, service, QUESTIONS)
    assert max(server.counts().repeats.values()) == 2  # beyond the first
    assert answered(ledger, service, QUESTIONS)  # what was answered meanwhile is kept
    server.change(faults=[])
    answer_all(ledger, service, QUESTIONS)
    assert len(answered(ledger, service, QUESTIONS)) == QUESTIONS
    assert server.counts().twice_billed == {}


@pytest.mark.parametrize("tokens", [-1000, 10**30])
def test_counts_that_cannot_be_true_are_taken_at_their_bounds(
    llm_server: Start, tmp_path: Path, tokens: int
) -> None:
    """Negative ones would refill the budget, and larger ones than SQLite's would lose the answer."""
    server = llm_server(faults=[Fault("odd_usage", tokens=tokens)])
    answer_all(tmp_path / "ledger.sqlite", service_at(server), 1)
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        spent = opened.spent(PAYER)
    assert (spent.input_tokens, spent.output_tokens) == (most_tokens("question 0"), MAX_TOKENS)
