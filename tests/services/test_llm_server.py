"""The test server itself, by a plain HTTP client: what other tests conclude rests on it."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from llm_server.launch import Running, launch
from llm_server.settings import Fault

Start = Callable[..., Running]


# One for all threads: it takes longer to make a client than the server takes to answer.
CLIENT = httpx.Client(timeout=5)


def ask(server: Running, prompt: str = "hello", key: str | None = None, **more: Any) -> httpx.Response:
    body = {"model": "test", "messages": [{"role": "user", "content": prompt}], **more}
    headers = {"authorization": "Bearer sk-planted"} | ({"idempotency-key": key} if key else {})
    return CLIENT.post(f"{server.address}/chat/completions", json=body, headers=headers)


def test_answers_are_counted_and_billed(llm_server: Start) -> None:
    server = llm_server()
    first, second = ask(server).json(), ask(server).json()
    assert first == second
    # "hello" is 5 bytes: 2 tokens of 4 bytes, and 4 for the message.
    assert first["usage"]["prompt_tokens"] == 6
    counts = server.counts()
    assert (counts.received, counts.distinct, counts.billed) == (2, 1, 2)
    assert list(counts.twice_billed.values()) == [1]
    assert counts.billed_tokens == 2 * first["usage"]["total_tokens"]


def test_a_repeated_key_is_billed_once_even_at_the_same_time(llm_server: Start) -> None:
    server = llm_server(latency=0.5, honours_idempotency_key=True)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: ask(server, key="ab"), range(4)))
    assert len({answer.text for answer in answers}) == 1
    assert (server.counts().received, server.counts().billed) == (4, 1)
    assert server.counts().peak_in_flight > 1


def test_what_a_client_leaves_behind_is_billed(llm_server: Start) -> None:
    server = llm_server(latency=0.3)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.address}/chat/completions", json={"model": "m", "messages": []}, timeout=0.05)
    ask(server)  # generated after the one that was left
    assert server.counts().billed == 2


@pytest.mark.parametrize("kind", ["cut", "cut_body", "stall"])
def test_connections_break_as_asked(llm_server: Start, kind: str) -> None:
    server = llm_server(faults=[Fault(kind, first=1)])
    with pytest.raises(httpx.HTTPError):
        httpx.post(f"{server.address}/chat/completions", json={"model": "m", "messages": []}, timeout=0.3)
    assert ask(server).status_code == 200
    assert server.counts().billed == (2 if kind == "cut_body" else 1)
    (gone,) = server.counts().of("gone")
    assert gone["fault"] == kind


def test_faults_hit_whom_they_should(llm_server: Start) -> None:
    server = llm_server(seed=7, faults=[Fault("na", matching="B7"), Fault("status", rate=0.5, status=503)])
    assert ask(server, "item B7").json()["choices"][0]["message"]["content"] == "NA"
    statuses = [ask(server, "item B8").status_code for _ in range(40)]
    assert 10 < statuses.count(503) < 30
    server.change(faults=[Fault("malformed")])
    with pytest.raises(ValueError, match="Unterminated"):
        ask(server).json()
    server.change(faults=[])
    assert ask(server, "a rather long prompt", max_tokens=2).json()["choices"][0]["finish_reason"] == "length"


def test_limits_and_keys(llm_server: Start) -> None:
    server = llm_server(requests_per_second=2, retry_after_seconds=3)
    answers = [ask(server) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "3"
    server.change(requests_per_second=None, api_key="sk-right")
    refused = ask(server)
    assert refused.status_code == 401
    assert "sk-planted" in refused.text  # real providers repeat what they were sent, too
    assert "sk-" not in server.log.read_text()


def test_vectors_are_those_of_their_texts(llm_server: Start) -> None:
    server = llm_server(width=5)

    def vectors(texts: Any, **more: Any) -> list[Any]:
        body = {"model": "m", "input": texts, **more}
        data = httpx.post(f"{server.address}/embeddings", json=body).json()["data"]
        return [entry["embedding"] for entry in data]

    alone, both = vectors("a"), vectors(["b", "a"])
    assert both[1] == alone[0]
    assert math.isclose(sum(value**2 for value in alone[0]), 1, rel_tol=1e-6)
    packed = base64.b64decode(vectors(["a"], encoding_format="base64")[0])
    assert list(struct.unpack("<5f", packed)) == alone[0]
    assert len(vectors(["a"], dimensions=3)[0]) == 3


def test_a_server_in_the_place_of_another_continues_its_log(tmp_path: Path) -> None:
    with launch(tmp_path) as first:
        ask(first)
    with launch(tmp_path, port=first.port) as second:
        ask(second)
    assert second.address == first.address
    assert second.counts().received == 2
