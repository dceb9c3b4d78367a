"""Bodies as providers send them, over real HTTP: what is kept, what is tried again, what counts as billed."""

from __future__ import annotations

import base64
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_server.launch import Running
from llm_server.settings import Fault
from questionnaire import KEY, MAX_TOKENS, PAYER, answer_all, questions, service_at

from grasp_bench.core.errors import BudgetError, ServiceError
from grasp_bench.services import async_workers
from grasp_bench.services.dispatch import ServiceContext, dispatch
from grasp_bench.services.ledger import Answer, Ledger
from grasp_bench.services.requests import ServiceRequest, request_key
from grasp_bench.services.tokens import most_tokens
from grasp_bench.spec.service import Service

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of litellm's own checks
Start = Callable[..., Running]
MOST = most_tokens("question 0")
PARTS = [{"type": "text", "text": "A fine "}, {"type": "text", "text": "balm."}]
ALL_USED = {"prompt_tokens": 7, "completion_tokens": MAX_TOKENS}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(async_workers, "backoff", lambda attempt: 0.01)


def chat_body(message: Any = None, finish: Any = "stop", usage: Any = None, **more: Any) -> str:
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12} if usage is None else usage
    message = {"role": "assistant", "content": "A fine balm."} if message is None else message
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return json.dumps(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
    )


def said(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def ask_once(server: Running, folder: Path, **settings: Any) -> Answer:
    service = service_at(server, max_attempts=2, **settings)
    answer_all(folder / "ledger.sqlite", service, 1)
    with Ledger(folder / "ledger.sqlite") as ledger:
        (answer,) = ledger.find([next(questions(service, 1)).keys[0]])
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("body", "content", "finish"),
    [
        (chat_body(said(PARTS)), "A fine balm.", "stop"),
        (chat_body(said(None)), "", "stop"),
        (json.dumps({"choices": [{"text": "A fine balm.", "finish_reason": "eos"}]}), "A fine balm.", "stop"),
        (chat_body(finish="model_length"), "A fine balm.", "length"),
        (chat_body(finish="model_context_window_exceeded"), "A fine balm.", "length"),
        (chat_body(finish="MAX_TOKENS"), "A fine balm.", "length"),
        (chat_body(finish="end_turn"), "A fine balm.", "stop"),
        (chat_body(finish="sensitive"), "A fine balm.", "content_filter"),
        (chat_body(finish="whatever_comes_next"), "A fine balm.", "incomplete"),
        (chat_body(finish="tool_calls"), "A fine balm.", "incomplete"),
        (chat_body(finish=None), "A fine balm.", "stop"),
        (chat_body(finish=None, usage=ALL_USED), "A fine balm.", "length"),
        (chat_body(finish="stop", native_finish_reason="model_length"), "A fine balm.", "length"),
    ],
)  # fmt: skip
def test_the_providers_own_words_decide(
    llm_server: Start, tmp_path: Path, body: str, content: str, finish: str
) -> None:
    answer = ask_once(llm_server(faults=[Fault("body", status=200, text=body)]), tmp_path)
    assert (answer.content.decode(), answer.finish) == (content, finish)


@pytest.mark.parametrize("reason", ["error", "abort", "network_error", "insufficient_system_resource"])
def test_an_answer_that_was_broken_off_is_asked_again(llm_server: Start, tmp_path: Path, reason: str) -> None:
    broken = Fault("body", first=1, status=200, text=chat_body(said("A fi"), finish=reason))
    server = llm_server(faults=[broken])
    answer = ask_once(server, tmp_path)
    assert answer.finish == "stop"
    assert answer.content != b"A fi"
    assert server.counts().received == 2
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.spent(PAYER).lost_requests == 1  # perhaps billed


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 7, "completion_tokens": None}, (7, MAX_TOKENS)),
        ({"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}, (7, MAX_TOKENS)),
        ({"prompt_tokens": 0, "completion_tokens": 5}, (MOST, 5)),
        ({"completion_tokens": 5}, (MOST, 5)),
        ({"prompt_tokens": 7.5, "completion_tokens": 5.25}, (MOST, MAX_TOKENS)),
        ({"prompt_tokens": "7", "completion_tokens": True}, (MOST, MAX_TOKENS)),
        ({"prompt_tokens": -7, "completion_tokens": 10**30}, (MOST, MAX_TOKENS)),
        ({}, (MOST, MAX_TOKENS)),
        ([], (MOST, MAX_TOKENS)),
        ("many", (MOST, MAX_TOKENS)),
    ],
)
def test_each_side_of_usage_that_is_not_counted_is_taken_at_its_most(
    llm_server: Start, tmp_path: Path, usage: Any, tokens: tuple[int, int]
) -> None:
    server = llm_server(faults=[Fault("body", status=200, text=chat_body(usage=usage))])
    answer = ask_once(server, tmp_path)
    assert answer.content == b"A fine balm."
    assert (answer.input_tokens, answer.output_tokens) == tokens


UNREADABLE = {
    "html": "<html><body>Bad gateway</body></html>",
    "nothing": "",
    "null": "null",
    "no-choices": '{"id": "1", "object": "chat.completion", "usage": {"prompt_tokens": 5}}',
    "choices-null": '{"choices": null}',
    "choices-of-text": '{"choices": ["A fine balm."]}',
    "no-message": '{"choices": [{"finish_reason": "stop"}]}',
    "content-of-numbers": chat_body(said([1, 2])),
    "content-an-object": chat_body(said({"text": "A fine balm."})),
    "cut": chat_body()[:60],
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_answer_that_cannot_be_read_is_perhaps_billed(
    llm_server: Start, tmp_path: Path, body: str
) -> None:
    """Were it not, a server that answers so would be asked without end, whatever the limit."""
    server = llm_server(faults=[Fault("body", status=200, text=body)])
    service = service_at(server, max_attempts=50, concurrency=1, max_tokens_total=3 * (MOST + MAX_TOKENS))
    with pytest.raises((BudgetError, ServiceError)):
        answer_all(tmp_path / "ledger.sqlite", service, 1)
    assert server.counts().received == 3
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.spent(PAYER).lost_tokens == 3 * (MOST + MAX_TOKENS)


def test_an_error_says_why_an_answer_cannot_be_read(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server(faults=[Fault("body", status=200, text=UNREADABLE["no-message"])])
    with pytest.raises(ServiceError, match="the first choice has no message"):
        answer_all(tmp_path / "ledger.sqlite", service_at(server, max_attempts=1), 1)


@pytest.mark.parametrize("status", [400, 422])
def test_an_attempt_is_one_request_and_the_providers_words_are_shown(
    llm_server: Start, tmp_path: Path, status: int
) -> None:
    words = json.dumps({"error": {"message": "max_tokens must be odd", "type": "invalid"}})
    server = llm_server(faults=[Fault("body", status=status, text=words)])
    with pytest.raises(ServiceError, match=f"{status}: .*max_tokens must be odd"):
        answer_all(tmp_path / "ledger.sqlite", service_at(server), 1)
    assert server.counts().received == 1
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.spent(PAYER).lost_requests == 0


def vectors_of(count: int) -> list[dict[str, Any]]:
    return [{"object": "embedding", "index": k, "embedding": [1.0 + k, 2.0]} for k in range(count)]


def changed(**entry: Any) -> list[dict[str, Any]]:
    entries = vectors_of(3)
    entries[1] = {name: value for name, value in {**entries[1], **entry}.items() if value is not ...}
    return entries


def packed(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def embed(server: Running, folder: Path, **more: Any) -> list[list[float]]:
    os.environ["OPENAI_API_KEY"] = KEY
    settings = {"concurrency": 2, "timeout_seconds": 5.0, "max_attempts": 2, **more}
    service = Service(model="openai/test", api_base=server.address, **settings)
    keys = tuple(request_key("embedding", service, {"input": [text]}) for text in "abc")
    request = ServiceRequest(keys, {"input": list("abc")}, 30, 0, "items 'a' and 2 others")
    dispatch(
        "embedding", [request], ServiceContext(folder / "ledger.sqlite", PAYER, service, lambda done: None)
    )
    with Ledger(folder / "ledger.sqlite") as ledger:
        found = ledger.find(keys)
    return [np.frombuffer(answer.content, "<f4").tolist() for answer in found if answer is not None]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (changed(embedding=[0.0, 0.0]), "vector 1 is zero"),
        (changed(embedding=[float("nan"), 1.0]), "vector 1 holds NaN or infinity"),
        (changed(embedding=[1e300, 1.0]), "vector 1 holds NaN or infinity"),
        (changed(embedding=["x", 1.0]), "vector 1 is not made of numbers"),
        (changed(embedding=[]), "vector 1 is empty"),
        (changed(embedding=None), "vector 1"),
        (changed(embedding=[[1.0, 2.0]]), "vector 1 is no flat list"),
        (changed(embedding=[1.0, 2.0, 3.0]), "vectors of different widths: 2, 3"),
        (changed(embedding="not base64!"), "vector 1 is not base64"),
        (changed(embedding=base64.b64encode(b"12345").decode()), "vector 1 is not made of base64 of 32-bit"),
        (changed(index=-1), "entry 1 has index -1, not one of 0 to 2"),
        (changed(index=3), "entry 1 has index 3"),
        (changed(index=1.5), "entry 1 has index 1.5"),
        (changed(index=0), "index 0 comes twice"),
        (vectors_of(2), "2 vectors for 3 texts"),
        (vectors_of(4), "4 vectors for 3 texts"),
        ("all of them", "'data' is no list"),
    ],
)
def test_useless_vectors_are_told_apart_and_not_kept(
    llm_server: Start, tmp_path: Path, data: Any, why: str
) -> None:
    body = json.dumps({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 3}})
    server = llm_server(faults=[Fault("body", first=2, status=200, text=body)])
    with pytest.raises(ServiceError, match=f"items 'a' and 2 others: .*{why}"):
        embed(server, tmp_path)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.spent(PAYER).requests == 0
        assert ledger.spent(PAYER).lost_requests == 2
    assert len(embed(server, tmp_path)) == 3  # the server has been mended: nothing stands in the way


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (vectors_of(3)[::-1], [[1, 2], [2, 2], [3, 2]]),
        ([{"embedding": entry["embedding"]} for entry in vectors_of(3)], [[1, 2], [2, 2], [3, 2]]),
        (changed(embedding=packed(9.0, 8.0)), [[1, 2], [9, 8], [3, 2]]),
    ],
    ids=["by-index", "without-index-in-order", "base64"],
)
def test_vectors_are_put_in_order(
    llm_server: Start, tmp_path: Path, data: Any, found: list[list[float]]
) -> None:
    body = json.dumps({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 3}})
    assert embed(llm_server(faults=[Fault("body", status=200, text=body)]), tmp_path) == found
