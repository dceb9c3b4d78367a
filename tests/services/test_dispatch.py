"""One dispatch from its first ask to its summary, by real HTTP: what is sent, kept, counted and reported."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from llm_server.answers import vector_of
from llm_server.launch import Running
from llm_server.settings import Fault
from patience import PATIENCE
from questionnaire import KEY, MAX_TOKENS, PAYER, PRICE, answered, questions, service_at

from grasp_bench.core.errors import BudgetError, DataError, ServiceError
from grasp_bench.services import async_workers
from grasp_bench.services import dispatch as dispatching
from grasp_bench.services.dispatch import ServiceContext, Summary, dispatch
from grasp_bench.services.ledger import Answer, Ledger, Spent
from grasp_bench.services.requests import ServiceRequest, request_key
from grasp_bench.services.tokens import most_tokens
from grasp_bench.spec.service import Service

Start = Callable[..., Running]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return tmp_path / "ledger.sqlite"


def context_at(
    ledger: Path, service: Service, report: Callable[[int], None] = lambda answered: None
) -> ServiceContext:
    return ServiceContext(ledger, PAYER, service, report)


def spent_in(ledger: Path) -> Spent:
    with Ledger(ledger) as opened:
        return opened.spent(PAYER)


def only_answer(ledger: Path, service: Service) -> Answer:
    (request,) = questions(service, 1)
    with Ledger(ledger) as opened:
        (answer,) = opened.find(request.keys)
    assert answer is not None
    return answer


def batch_of(service: Service, texts: list[str], **more: object) -> ServiceRequest:
    keys = tuple(request_key("embedding", service, {"input": [text], **more}) for text in texts)
    return ServiceRequest(
        keys, {"input": texts, **more}, sum(map(most_tokens, texts)), 0, f"items '{texts[0]}'"
    )


def test_answers_are_kept_counted_and_reused(llm_server: Start, ledger: Path) -> None:
    server = llm_server(latency=0.01)
    service, reports = service_at(server), list[int]()
    first = dispatch("chat", questions(service, 20), context_at(ledger, service, reports.append))
    assert (first.sent, first.reused, first.retried) == (20, 0, 0)
    assert reports == sorted(reports)
    assert reports[-1] == 20
    # "question 0" is 10 bytes: 3 tokens of 4 bytes, and 4 for the message.
    answer = only_answer(ledger, service)
    assert (answer.finish, answer.input_tokens) == ("stop", 7)
    assert answer.content.decode().endswith("question 0")
    assert answer.cost_usd == pytest.approx((7 * 2 + answer.output_tokens * 10) / 1e6)
    counts = server.counts()
    assert first.spent.input_tokens + first.spent.output_tokens == counts.billed_tokens
    again = dispatch("chat", questions(service, 20), context_at(ledger, service))
    assert again == Summary(sent=0, reused=20, retried=0, spent=first.spent)
    assert server.counts().received == 20


def test_what_is_answered_needs_neither_price_nor_key(
    llm_server: Start, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = llm_server()
    service = service_at(server)
    dispatch("chat", questions(service, 3), context_at(ledger, service))
    monkeypatch.delenv("OPENAI_API_KEY")
    limited = service.model_copy(update={"price": None, "max_cost_usd": 1.0, "api_key_env": "NOT_THERE"})
    assert dispatch("chat", questions(service, 3), context_at(ledger, limited)).reused == 3
    with pytest.raises(ServiceError, match="NOT_THERE"):
        dispatch("chat", questions(service, 4), context_at(ledger, limited))
    monkeypatch.setenv("NOT_THERE", KEY)
    with pytest.raises(BudgetError, match="price of openai/test"):
        dispatch("chat", questions(service, 4), context_at(ledger, limited))
    assert server.counts().received == 3


def test_equal_asks_are_sent_once(llm_server: Start, ledger: Path) -> None:
    server = llm_server(latency=0.05)
    service = service_at(server)
    twice = (request for request in questions(service, 10) for _ in range(2))
    afterwards = questions(service, 10)
    both = (request for series in (twice, afterwards) for request in series)
    assert dispatch("chat", both, context_at(ledger, service)).reused == 20
    assert server.counts().received == 10


def test_asks_are_pulled_as_slots_come_free(
    llm_server: Start, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "LOOK_AHEAD", 16)
    server = llm_server()
    service, pulled, ahead = service_at(server), 0, list[int]()

    def watched() -> Iterator[ServiceRequest]:
        nonlocal pulled
        for request in questions(service, 200):
            pulled += 1
            yield request

    dispatch("chat", watched(), context_at(ledger, service, lambda done: ahead.append(pulled - done)))
    assert max(ahead) <= 16 + 4 * service.concurrency


def test_nothing_to_ask_makes_no_request(ledger: Path) -> None:
    summary = dispatch("chat", iter(()), context_at(ledger, Service(model="openai/test")))
    assert summary == Summary(0, 0, 0, Spent())


def test_an_error_among_the_requests_waits_for_those_in_flight(
    llm_server: Start, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "LOOK_AHEAD", 16)
    server = llm_server(latency=0.3)
    service = service_at(server)

    def broken() -> Iterator[ServiceRequest]:
        yield from questions(service, 16)
        while server.counts().received < service.concurrency:
            time.sleep(0.01)
        raise DataError("item 'B7' has no title")

    with pytest.raises(DataError, match="B7"):
        dispatch("chat", broken(), context_at(ledger, service))
    assert len(answered(ledger, service, 16)) == server.counts().received
    assert spent_in(ledger).lost_requests == 0


@pytest.mark.parametrize(
    ("fault", "finish", "content"),
    [
        ("empty", "stop", b""),
        ("na", "stop", b"NA"),
        ("refusal", "refusal", b""),
        ("content_filter_error", "content_filter", b""),
    ],
)
def test_answers_that_say_nothing_are_answers(
    llm_server: Start, ledger: Path, fault: str, finish: str, content: bytes
) -> None:
    server = llm_server(faults=[Fault(fault)])
    service = service_at(server)
    assert dispatch("chat", questions(service, 1), context_at(ledger, service)).sent == 1
    answer = only_answer(ledger, service)
    assert (answer.finish, answer.content) == (finish, content)


@pytest.mark.parametrize("fault", ["length", "content_filter"])
def test_an_answer_that_was_cut_says_so(llm_server: Start, ledger: Path, fault: str) -> None:
    service = service_at(llm_server(faults=[Fault(fault)]))
    dispatch("chat", questions(service, 1), context_at(ledger, service))
    assert only_answer(ledger, service).finish == fault


def test_tokens_that_nobody_counts_are_taken_at_their_bounds(llm_server: Start, ledger: Path) -> None:
    service = service_at(llm_server(faults=[Fault("no_usage")]))
    dispatch("chat", questions(service, 1), context_at(ledger, service))
    answer = only_answer(ledger, service)
    assert (answer.input_tokens, answer.output_tokens) == (most_tokens("question 0"), MAX_TOKENS)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("form", [{}, {"encoding_format": "base64"}, {"encoding_format": "float"}])
def test_vectors_are_those_of_their_texts_and_tokens_add_up(
    llm_server: Start, ledger: Path, form: dict[str, str]
) -> None:
    server = llm_server(width=6)
    service = service_at(server)
    texts = [f"text number {k}" for k in range(7)]
    request = batch_of(service, texts, **form)
    dispatch("embedding", [request], context_at(ledger, service))
    with Ledger(ledger) as opened:
        found = [answer for answer in opened.find(request.keys) if answer is not None]
    vectors = np.array([np.frombuffer(answer.content, dtype="<f4") for answer in found])
    np.testing.assert_array_equal(vectors, np.array([vector_of(t, 6) for t in texts], dtype=np.float32))
    assert sum(answer.input_tokens for answer in found) == server.counts().billed_tokens
    assert spent_in(ledger).requests == 1


def test_batches_that_overlap_ask_for_each_text_once(llm_server: Start, ledger: Path) -> None:
    server = llm_server(latency=0.05, bodies=True)
    service = service_at(server)
    batches = [["a", "b"], ["b", "c"], ["a", "c"], ["d"]]
    summary = dispatch(
        "embedding", (batch_of(service, batch) for batch in batches), context_at(ledger, service)
    )
    assert (summary.sent, summary.reused) == (3, 1)
    assert dispatch("embedding", [batch_of(service, list("aecd"))], context_at(ledger, service)).sent == 1
    sent = "".join(event["text"] for event in server.counts().of("received"))
    assert [sent.count(f'"{letter}"') for letter in "abcde"] == [1, 1, 1, 1, 1]


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Take Ctrl-C as Python does; a shell ignores it for what it starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_when_out(server: Running, requests: int) -> None:
    """Send this process what Ctrl-C sends, once so many requests are out."""

    def watch() -> None:
        while server.counts().received < requests:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_keeps_what_is_on_its_way(llm_server: Start, ledger: Path) -> None:
    server = llm_server(latency=1.0)
    service = service_at(server, timeout_seconds=30.0)
    interrupt_when_out(server, service.concurrency)
    with pytest.raises(KeyboardInterrupt):
        dispatch("chat", questions(service, 500), context_at(ledger, service))
    assert service.concurrency <= server.counts().received < 50
    assert len(answered(ledger, service, 500)) == server.counts().received
    assert spent_in(ledger).lost_requests == 0


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_does_not_wait_for_ever(
    llm_server: Start, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatching, "GRACE_SECONDS", 0.2)
    server = llm_server(latency=100.0)
    service = service_at(server, timeout_seconds=200.0)
    interrupt_when_out(server, service.concurrency)
    with pytest.raises(KeyboardInterrupt):
        dispatch("chat", questions(service, 500), context_at(ledger, service))
    lost = spent_in(ledger)
    assert lost.lost_requests == service.concurrency  # perhaps billed, and no more than was out
    assert lost.lost_cost_usd == pytest.approx(lost.lost_requests * cost_bound())


def cost_bound() -> float:
    return (most_tokens("question 0") * PRICE.input_per_million + MAX_TOKENS * PRICE.output_per_million) / 1e6


def test_a_failure_shows_neither_key_nor_prompt_however_it_is_printed(
    llm_server: Start, ledger: Path
) -> None:
    server = llm_server(api_key="sk-another")
    with pytest.raises(ServiceError) as raised:
        dispatch("chat", questions(service_at(server), 1), context_at(ledger, service_at(server)))
    error = raised.value
    assert error.__cause__ is None
    assert error.__context__ is None
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "items '0'" in told
    assert "OPENAI_API_KEY" in told
    assert KEY not in told
    assert "question 0" not in told


def test_a_provider_that_stays_busy_ends_the_run_in_the_end(
    llm_server: Start, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429 does not count as an attempt; so long without a success does end it."""
    monkeypatch.setattr(async_workers, "MOST_REFUSED_SECONDS", 1.0)
    server = llm_server(faults=[Fault("status", status=429)])
    service = service_at(server, max_attempts=1, concurrency=1)
    with pytest.raises(ServiceError, match=r"too many requests, for .* \(429") as raised:
        dispatch("chat", questions(service, 3), context_at(ledger, service))
    assert "requests_per_minute" in str(raised.value.hint)
    for status in (429, 503):
        server.change(faults=[Fault("status", status=status, retry_after=3600)])
        patient = service_at(server, concurrency=1)
        with pytest.raises(ServiceError, match=f"too many requests, for 1 h 00 min .{status}:"):
            dispatch("chat", questions(patient, 3), context_at(ledger, patient))


def test_requests_a_minute_are_kept(llm_server: Start, ledger: Path) -> None:
    server = llm_server()
    service = service_at(server, requests_per_minute=240)
    dispatch("chat", questions(service, 12), context_at(ledger, service))
    arrivals = [event["at"] for event in server.counts().of("received")]
    assert arrivals[-1] - arrivals[0] >= 7 / 4 - 0.1  # four at once, then four a second


def test_a_lost_batch_may_be_cut_otherwise(llm_server: Start, ledger: Path) -> None:
    """The provider has its answer by its idempotency key, which is no other batch's."""
    server = llm_server(honours_idempotency_key=True, width=6)
    service = service_at(server)
    dispatch("embedding", [batch_of(service, list("abc"))], context_at(ledger.with_name("lost"), service))
    request = batch_of(service, list("ab"))
    dispatch("embedding", [request], context_at(ledger, service))
    with Ledger(ledger) as opened:
        found = [np.frombuffer(answer.content, dtype="<f4") for answer in opened.find(request.keys) if answer]
    np.testing.assert_array_equal(found, np.array([vector_of(t, 6) for t in "ab"], dtype=np.float32))


def test_two_that_ask_the_same_at_once_pay_once(llm_server: Start, ledger: Path) -> None:
    server = llm_server(latency=0.05)
    service = service_at(server, concurrency=4)
    summaries: list[Summary] = []

    def request(payer: str) -> None:
        context = ServiceContext(ledger, payer, service, lambda answered: None)
        summaries.append(dispatch("chat", questions(service, 30), context))

    threads = [threading.Thread(target=request, args=(payer,)) for payer in ("one", "another")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted((each.sent, each.reused) for each in summaries) == [(0, 30), (30, 0)]
    assert server.counts().billed == 30
    assert server.counts().peak_in_flight <= 4


def test_the_library_sends_nothing_again_by_itself(llm_server: Start, ledger: Path) -> None:
    """Requests that it repeats unseen are billed beyond the budget, and wait for no Retry-After."""
    server = llm_server(faults=[Fault("status", status=500)])
    service = service_at(server, max_attempts=1)
    with pytest.raises(ServiceError, match="500 at 1 attempt"):
        dispatch("embedding", [batch_of(service, ["a"])], context_at(ledger, service))
    with pytest.raises(ServiceError, match="500 at 1 attempt"):
        dispatch("chat", questions(service, 1), context_at(ledger, service))
    assert server.counts().received == 2
