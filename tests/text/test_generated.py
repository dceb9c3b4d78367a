"""Generation through litellm against a real server: what is sent, what comes of the answers, and once."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from llm_server.launch import Running
from llm_server.settings import Fault
from made_up import ITEMS, entities, written

from grasp_bench.core.errors import DataError, ServiceError
from grasp_bench.text.generated import prompt_requests
from grasp_bench.text.litellm_settings import LiteLLMText
from grasp_bench.text.providers import Account, Entities, write_texts

Launch = Callable[..., Running]
PLAIN = "The item has the following attributes: name is Rose soap."


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-tests-only")


def source(server: Running, **keys: Any) -> LiteLLMText:
    return LiteLLMText(
        **{"model": "openai/x", "api_base": server.address, "template": "beauty_title", **keys}
    )


def requests(server: Running) -> list[dict[str, Any]]:
    """Bodies that the server received."""
    return [json.loads(event["text"]) for event in server.counts().of("received")]


def test_items_are_asked_once_and_told_by_the_answers(llm_server: Launch, tmp_path: Path) -> None:
    server = llm_server(bodies=True, answer="About: {prompt}")
    about = entities("items")
    texts, facts = written(source(server), about, tmp_path / "ledger")
    assert texts[0] == "About: The beauty item has the following attributes: name is Crème brûlée."
    assert (facts["count"], facts["verdicts"]["text"], facts["prompts"]) == (4, 4, 3)
    # Two items without a title give one prompt: it is sent, and paid for, once.
    assert (facts["spend"]["sent"], facts["spend"]["reused"], server.counts().billed) == (3, 1, 3)
    again, facts = written(source(server), about, tmp_path / "ledger")
    assert again == texts
    assert (facts["spend"]["sent"], facts["spend"]["reused"], server.counts().billed) == (0, 4, 3)
    assert facts["spend"]["input_tokens"] + facts["spend"]["output_tokens"] == server.counts().billed_tokens


def test_what_is_sent(llm_server: Launch, tmp_path: Path) -> None:
    server = llm_server(bodies=True)
    asked = source(server, system="Be brief.", max_tokens=77, temperature=0.5, top_p=0.9, seed=3)
    written(asked, entities("items"), tmp_path / "ledger")
    (body,) = (body for body in requests(server) if "Rose" in json.dumps(body))
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "The beauty item has the following attributes: name is Rose soap."},
    ]
    sent = {name: body[name] for name in ("model", "max_tokens", "temperature", "top_p", "seed")}
    assert sent == {"model": "x", "max_tokens": 77, "temperature": 0.5, "top_p": 0.9, "seed": 3}
    silent = llm_server(bodies=True)
    written(source(silent, temperature=None), entities("items"), tmp_path / "other")
    assert not {"temperature", "top_p", "seed"} & requests(silent)[-1].keys()


def test_what_decides_an_answer_is_in_its_key(llm_server: Launch, tmp_path: Path) -> None:
    server = llm_server()
    about = entities("items", items=ITEMS.head(1))
    mine = tmp_path / "mine.j2"
    mine.write_text("Say what {{ item.title }} is.")
    changes: list[dict[str, Any]] = [
        {}, {"model": "openai/y"}, {"temperature": 1.0}, {"max_tokens": 9}, {"system": "s"}, {"seed": 1},
        {"template": "item"}, {"template": str(mine)}, {"missing": "?", "template": "beauty_item"},
    ]  # fmt: skip
    for count, change in enumerate(changes, start=1):
        written(source(server, **change), about, tmp_path / "ledger")
        assert server.counts().billed == count
    for same in ({"concurrency": 1}, {"fallback": "drop"}, {"max_attempts": 2}, {"redact": ("price",)}):
        written(source(server, **same), about, tmp_path / "ledger")
    mine.write_text("{# a note #}Say what {{ item.title }} is.")
    written(source(server, template=str(mine)), about, tmp_path / "ledger")
    assert server.counts().billed == len(changes)


FAULTS = [("na", "na"), ("empty", "empty"), ("refusal", "refusal"), ("refusal_prose", "refusal")]
FAULTS += [("length", "over_long"), ("content_filter", "refusal"), ("content_filter_error", "refusal")]


@pytest.mark.parametrize(("fault", "verdict"), FAULTS)
def test_policies_for_answers_that_are_none(
    llm_server: Launch, tmp_path: Path, fault: str, verdict: str
) -> None:
    server = llm_server(faults=[Fault(fault, matching="Rose")])
    about = entities("items")
    texts, facts = written(source(server), about, tmp_path / "ledger")
    assert texts[1] == PLAIN
    assert (facts["verdicts"][verdict], facts["verdicts"]["text"]) == (1, 3)
    assert facts["examples"] == {verdict: ["b"]}
    dropped, facts = written(source(server, fallback="drop"), about, tmp_path / "ledger")
    assert (dropped[1], facts["empty"]) == ("", 1)
    assert dropped[:1] + dropped[2:] == texts[:1] + texts[2:]
    with pytest.raises(DataError, match=r"of 4 answers of 'openai/x' 1 .*\('b'\)") as caught:
        written(source(server, fallback="fail"), about, tmp_path / "ledger")
    assert "fallback" in str(caught.value.hint)
    assert facts["spend"]["sent"] == 0


def test_thoughts_are_no_text(llm_server: Launch, tmp_path: Path) -> None:
    server = llm_server(answer="<think>\nI can't say {prompt}\n</think>\nA thing.")
    texts, _ = written(source(server), entities("items"), tmp_path / "ledger")
    assert set(texts) == {"A thing."}


def test_withheld_columns_never_leave(llm_server: Launch, tmp_path: Path) -> None:
    server = llm_server(bodies=True)
    secret = pl.DataFrame({"user_id": ["u0"], "age": ["31"], "email": ["p@private.example"]})
    template = tmp_path / "all.j2"
    template.write_text(
        "{{ user.age }} {{ user.email }} {{ user['email'] }} {{ user }} {{ user.known }} {{ titles | join }}"
        "{% for item in items %}{{ item.brand }}{{ item.known }}{{ item }}{% endfor %}"
    )
    asked = source(server, template=str(template), redact=("email", "brand", "title"), fallback="template")
    texts, facts = written(asked, entities("users", [[0, 2]], users=secret), tmp_path / "ledger")
    sent = server.log.read_text() + json.dumps(texts) + json.dumps(facts)
    assert '"31' in sent.replace("\\", "")
    assert not [
        word for word in ("private", "Bär", "B\\u00e4r", "Ölwerk", "brûlée", "br\\u00fb") if word in sent
    ]
    assert facts["absent_columns"] == []


def test_without_a_ledger_nothing_is_asked(llm_server: Launch) -> None:
    server = llm_server()
    with pytest.raises(ServiceError, match="no ledger"):
        write_texts(source(server), entities("items"))
    assert server.counts().received == 0


def test_prompts_are_streamed_and_name_their_entity() -> None:
    asked = LiteLLMText(model="openai/x", template="beauty_title", system="Brief.")
    asks = prompt_requests(asked, entities("items"))
    first = next(asks)
    assert first.about == "items 'a'"
    assert (len(first.keys), len(first.keys[0]), first.most_output) == (1, 16, 512)
    assert first.most_input >= len("Brief.") + len(first.arguments["messages"][1]["content"])
    rest = list(asks)
    assert len({ask.keys for ask in [first, *rest]}) == 3


def test_memory_does_not_grow_with_entities(llm_server: Launch, tmp_path: Path) -> None:
    """Thousands of users share twenty prompts of kilobytes: nothing but keys may be kept of each."""
    server, n = llm_server(), 6000
    titles = [f"title number {k} " * 160 for k in range(20)]
    items = pl.DataFrame({"item_id": [str(k) for k in range(20)], "title": titles})

    def stream(n: int) -> Iterator[str]:
        ids, flat = pl.Series([f"u{k}" for k in range(n)]), np.arange(n, dtype=np.int32) % 20
        about = Entities("users", ids, items, flat, np.arange(n + 1))
        account = Account(tmp_path / "ledger", "p")
        return iter(write_texts(source(server, template=None), about, account).texts)

    assert len(list(stream(20))) == 20
    tracemalloc.start()
    count = sum(1 for _ in stream(n))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, server.counts().billed) == (n, 20)
    assert most < 100 * n + 5_000_000 < n * 2500


def test_goodreads_through_the_server(llm_server: Launch, tmp_path: Path, data_root: Path) -> None:
    server = llm_server(answer="{prompt}", echo=2000, faults=[Fault("status", rate=0.1, status=503)])
    items = pl.read_csv(data_root / "goodreads" / "items.csv", infer_schema=False).head(300)
    rows = pl.read_csv(data_root / "goodreads" / "interactions.csv", infer_schema=False)
    numbers = items.with_row_index("item").select("item_id", "item")
    told = rows.join(numbers, on="item_id", maintain_order="left").group_by("user_id", maintain_order=True)
    people = told.agg("item").head(200)
    histories = people["item"].to_list()
    asked = source(server, template=None, redact=("description",), max_items=5)
    texts, facts = written(asked, entities("users", histories, items), tmp_path / "ledger")
    titles = [" ".join(title.split()) for title in items["title"]]
    for history, text in zip(histories, texts, strict=True):
        named = ", ".join(titles[k] for k in history[-5:][::-1])
        assert (
            text
            == f"The user has visited the following items: {named} please conclude the user's preference."
        )
    assert facts["spend"]["retried"] > 0


def test_echoes_are_counted_and_on_request_replaced(llm_server: Launch, tmp_path: Path) -> None:
    server = llm_server(answer="About: {prompt}")
    about = entities("items")
    kept, facts = written(source(server), about, tmp_path / "ledger")
    assert facts["echoes"] == {"repeats_prompt": 4}
    assert facts["verdicts"]["text"] == 4
    replaced, facts = written(source(server, echo="fallback"), about, tmp_path / "ledger")
    assert facts["spend"]["sent"] == 0  # the answers are the same
    assert (facts["verdicts"]["echo"], facts["verdicts"]["text"]) == (4, 0)
    assert replaced[1] == PLAIN != kept[1]
    with pytest.raises(DataError, match="4 repeat their prompt or would fit any entity"):
        written(source(server, echo="fallback", fallback="fail"), about, tmp_path / "ledger")
