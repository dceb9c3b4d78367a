"""Vectors bought over real HTTP through litellm: bought once, checked, and never mixed up."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_server.answers import vector_of
from llm_server.launch import Running
from llm_server.settings import Fault
from patience import until

from grasp_bench.core.errors import BudgetError, ServiceError
from grasp_bench.encoders.batching import truncate_to_tokens
from grasp_bench.encoders.litellm import LiteLLMVectors, distinct_texts
from grasp_bench.encoders.litellm_settings import LiteLLMEncoder
from grasp_bench.services.dispatch import ServiceContext
from grasp_bench.services.tokens import counter

Start = Callable[..., Running]
MODEL = "openai/text-embedding-3-small"  # 1,536 dimensions of its own, or fewer if asked
UNKNOWN = "openai/house-vectors"  # no width is known
TEXTS = [f"item number {k} é 茶" for k in range(50)]
NAMES = [f"i{k}" for k in range(50)]

# Buys one text a request, slowly enough to be killed between two of them.
BUYER = """
import sys
from pathlib import Path
from grasp_bench.encoders.litellm import LiteLLMVectors
from grasp_bench.services.dispatch import ServiceContext
from grasp_bench.encoders.litellm_settings import LiteLLMEncoder
address, ledger = sys.argv[1:]
texts = [f"item number {k} é 茶" for k in range(50)]
section = LiteLLMEncoder(
    model="openai/house-vectors", api_base=address, dimensions=8, batch_size=3, concurrency=2
)
desk = ServiceContext(Path(ledger), "payer", section, lambda done: None)
LiteLLMVectors(section, "items", desk).vectors([f"i{k}" for k in range(50)], texts)
"""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


def buy(
    server: Running, folder: Path, texts: list[str], names: list[str] | None = None, **keys: Any
) -> tuple[np.ndarray, dict[str, Any], list[int]]:
    keys = {"model": UNKNOWN, "api_base": server.address, "timeout_seconds": 10, **keys}
    section = LiteLLMEncoder.model_validate(keys)
    heard: list[int] = []
    context = ServiceContext(folder / "ledger.sqlite", "payer", section, heard.append)
    found, facts = LiteLLMVectors(section, "items", context).vectors(
        names or [f"i{k}" for k in range(len(texts))], texts
    )
    return found, facts, heard


def bodies(server: Running) -> list[dict[str, Any]]:
    return [json.loads(event["text"]) for event in server.counts().of("received")]


def expected(texts: list[str], width: int = 8) -> np.ndarray:
    return np.array([vector_of(text, width) for text in texts], dtype=np.float32)


def test_the_servers_vectors_come_back_in_order(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server()
    doubled = [*TEXTS, *TEXTS[::-1]]
    found, facts, heard = buy(server, tmp_path, doubled, batch_size=7)
    assert (found.shape, found.dtype) == ((100, 8), np.float32)
    np.testing.assert_allclose(found, expected(doubled), atol=1e-6)
    assert heard == sorted(heard)
    assert heard[-1] == 50
    assert server.counts().received == 1 + 7  # one text to see the width, then 49 by sevens
    spend = facts.pop("spend")
    assert facts == {"model": UNKNOWN, "distinct": 50, "cut": 0, "tokens_counted": "nearly"}
    assert (spend["sent"], spend["reused"], spend["cost_usd"]) == (8, 0, None)
    assert spend["input_tokens"] == server.counts().billed_tokens


def test_a_second_run_sends_nothing_however_batches_are_cut(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server()
    first, *_ = buy(server, tmp_path, TEXTS[:30], batch_size=4)
    before = server.counts().received
    again, facts, heard = buy(server, tmp_path, TEXTS[29::-1], batch_size=9)
    assert server.counts().received == before
    assert (facts["spend"]["sent"], facts["spend"]["reused"], heard[-1]) == (0, 30, 30)
    assert (again == first[::-1]).all()
    buy(server, tmp_path, TEXTS, batch_size=50)
    assert server.counts().received == before + 1  # one batch of the 20 that were missing


def test_a_lost_batch_may_be_cut_otherwise(llm_server: Start, tmp_path: Path) -> None:
    """The provider has an answer to the lost one by its idempotency key, which must not be this one's."""
    server = llm_server(honours_idempotency_key=True)
    lost, kept = tmp_path / "lost", tmp_path / "kept"
    buy(server, lost, TEXTS, batch_size=4)
    found, *_ = buy(server, kept, TEXTS, batch_size=3)
    np.testing.assert_allclose(found, expected(TEXTS), atol=1e-6)


def test_a_killed_buyer_pays_for_no_text_twice(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server(latency=0.5, bodies=True)
    arguments = [sys.executable, "-c", BUYER, server.address, str(tmp_path / "ledger.sqlite")]
    process = subprocess.Popen(arguments)
    try:
        until(lambda: len(server.counts().of("answered")) >= 4 or process.poll() is not None)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    answered = 1 + 3 * (len(server.counts().of("answered")) - 1)  # a text alone, then batches of three
    in_flight = 2 * 3  # two requests at once, whose answers nobody was there to keep
    server.change(latency=0.0)
    found, facts, _ = buy(server, tmp_path, TEXTS, batch_size=5, dimensions=8)
    np.testing.assert_allclose(found, expected(TEXTS), atol=1e-6)
    asked = [text for body in bodies(server) for text in body["input"]]
    assert set(asked) == set(TEXTS)
    assert len(asked) <= 50 + in_flight
    assert facts["spend"]["reused"] >= answered - in_flight


@pytest.mark.parametrize(
    ("model", "dimensions", "sent"),
    [(MODEL, 64, 64), (MODEL, None, None), (MODEL, 1536, None), (UNKNOWN, 1536, None), (UNKNOWN, None, None)],
)
def test_a_width_is_sent_only_where_it_is_not_the_models_own(
    llm_server: Start, tmp_path: Path, model: str, dimensions: int | None, sent: int | None
) -> None:
    server = llm_server(bodies=True, width=1536)
    found, *_ = buy(server, tmp_path, TEXTS[:2], model=model, dimensions=dimensions)
    assert found.shape[1] == (dimensions or 1536)
    assert {body.get("dimensions") for body in bodies(server)} == {sent}


def test_a_wrong_width_is_found_before_the_rest_is_paid_for(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server(width=12)
    with pytest.raises(ServiceError, match=r"items 'A': .* gave 12 dimensions, not 1536") as caught:
        buy(server, tmp_path, TEXTS, ["A", *NAMES[1:]], model=MODEL)
    assert "encoder.dimensions: 12" in str(caught.value.hint)
    assert server.counts().received == 1


def test_a_width_that_changes_half_way_names_the_entity(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server(faults=[Fault("wrong_width", matching="number 4 ")])
    with pytest.raises(ServiceError, match=r"items 'i4': .* gave 9 dimensions, not 8"):
        buy(server, tmp_path, TEXTS[:8], batch_size=1)


@pytest.mark.parametrize(
    "fault", [Fault("status", rate=0.3, status=503), Fault("malformed", first=3), Fault("cut", 0.3)]
)
def test_failures_that_pass_change_nothing(llm_server: Start, tmp_path: Path, fault: Fault) -> None:
    server = llm_server(faults=[fault])
    found, *_ = buy(server, tmp_path, TEXTS[:12], batch_size=2)
    np.testing.assert_allclose(found, expected(TEXTS[:12]), atol=1e-6)


def test_a_budget_stops_before_it_is_exceeded_and_keeps_what_there_is(
    llm_server: Start, tmp_path: Path
) -> None:
    server = llm_server(bodies=True)
    with pytest.raises(BudgetError, match="items 'i"):
        buy(server, tmp_path, TEXTS, batch_size=2, max_tokens_total=300)
    assert 0 < server.counts().billed_tokens <= 300
    before = sum(len(body["input"]) for body in bodies(server))  # the last, smaller batch may be among them
    found, facts, _ = buy(server, tmp_path, TEXTS, batch_size=2)
    np.testing.assert_allclose(found, expected(TEXTS), atol=1e-6)
    assert server.counts().twice_billed == {}
    assert facts["spend"]["reused"] == before


def test_norms_are_made_one_or_left(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server()
    for normalize in (True, False):
        found, *_ = buy(server, tmp_path, TEXTS, normalize=normalize)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert (found == expected(TEXTS)).all()  # as the server packed them, to the bit


def test_long_texts_are_cut_by_the_models_own_tokens(llm_server: Start, tmp_path: Path) -> None:
    server = llm_server(bodies=True)
    texts = ["short", "lavender soap " * 50, "茶の湯" * 60]
    _, facts, _ = buy(server, tmp_path, texts, model=MODEL, dimensions=8, max_tokens=20)
    assert (facts["cut"], facts["tokens_counted"]) == (2, "exactly")
    asked = [text for body in bodies(server) for text in body["input"]]
    count = counter(MODEL).count
    assert asked[0] == "short"
    for text, whole in zip(asked[1:], texts[1:], strict=True):
        assert whole.startswith(text)
        assert count(text) <= 20 < count(whole[: len(text) + 8])


def test_cutting_finds_the_longest_beginning() -> None:
    words = "a bb ccc dddd eeeee"
    for limit in range(1, 6):
        assert (
            truncate_to_tokens(words * 3, limit, lambda text: -(-len(text) // 4)) == (words * 3)[: 4 * limit]
        )
    assert truncate_to_tokens("", 3, len) == ""
    assert truncate_to_tokens("abc", 3, lambda text: pytest.fail("bytes suffice")) == "abc"


def test_requests_hold_no_more_than_providers_take(tmp_path: Path) -> None:
    from grasp_bench.encoders.litellm import REQUEST_TOKENS, embedding_requests

    section = LiteLLMEncoder(model=MODEL, batch_size=2048)
    long = [f"{k} " + "x" * 7000 for k in range(100)]
    distinct, place = distinct_texts(section, "users", NAMES * 2, long)
    requests = list(embedding_requests(section, distinct, None))
    assert [len(request.keys) for request in requests] == [42, 42, 16]
    assert all(sum(len(text) for text in request.arguments["input"]) < REQUEST_TOKENS for request in requests)
    assert requests[0].about == "users 'i0' and 41 others"
    assert place.tolist() == list(range(100))


@pytest.mark.parametrize(
    "useless", [np.zeros(8), np.full(8, np.nan), np.ones(9)], ids=["zero", "nan", "wide"]
)
def test_useless_vectors_of_an_earlier_version_are_asked_for_again(
    llm_server: Start, tmp_path: Path, useless: np.ndarray
) -> None:
    server = llm_server()
    buy(server, tmp_path, TEXTS[:6])
    section = LiteLLMEncoder.model_validate({"model": UNKNOWN, "api_base": server.address})
    (third,) = distinct_texts(section, "items", NAMES[2:3], TEXTS[2:3])[0]
    with sqlite3.connect(tmp_path / "ledger.sqlite") as kept:
        content = useless.astype("<f4").tobytes()
        kept.execute("UPDATE answers SET content = ?, checksum = NULL WHERE key = ?", (content, third.key))
    before = server.counts().received
    found, facts, _ = buy(server, tmp_path, TEXTS[:6])
    np.testing.assert_allclose(found, expected(TEXTS[:6]), atol=1e-6)
    assert (facts["dropped"], server.counts().received) == (1, before + 1)
