"""What a plan says of money, against what a server counts and what litellm counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from calling import call
from llm_server.launch import launch
from typer.testing import Result

MODEL = "gpt-4o-mini"
SPEC = """\
name: paid
dataset: {{source: demo, sample_users: {users}}}
model: {{enhancer: grasp, embedding_dim: 8, max_len: 10}}
index: {{kind: exact, num_neighbours: 3}}
training: {{max_epochs: 1}}
controls: []
text:
  items:
    provider: litellm
    model: openai/gpt-4o-mini
    api_base: {address}
    system: You write for a shop.
    max_tokens: 64{more}
encoder: {{kind: litellm, model: openai/text-embedding-3-small, api_base: {address}, dimensions: 16}}
"""


def spec_of(address: str, more: str = "", users: int = 100) -> str:
    return SPEC.format(address=address, more=more, users=users)


def grasp(folder: Path, *arguments: str, **environment: str) -> Result:
    without: dict[str, str | None] = {name: None for name in os.environ if name.endswith("_API_KEY")}
    return call(folder, *arguments, **without | environment)


def planned(folder: Path, spec: str, *arguments: str) -> dict[str, Any]:
    (folder / "paid.yaml").write_text(spec)
    done = grasp(folder, "plan", "paid.yaml", "--format", "json", "--device", "cpu", *arguments)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def by_label(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {entry["label"]: entry for entry in entries}


class Story:
    """A plan, a run, a plan: what each said, and what the server saw."""

    def __init__(self, folder: Path) -> None:
        with launch(folder, bodies=True, width=16) as server:
            spec = spec_of(server.address)
            self.before = planned(folder, spec)
            self.left_behind = (folder / ".grasp_bench").exists()
            self.asked_before_run = server.log.read_text() if server.log.exists() else ""
            quick = ("--device", "cpu", "--log-format", "plain", "--executor", "in_process")
            self.run = grasp(folder, "run", "paid.yaml", *quick)
            assert self.run.exit_code == 0, self.run.stderr
            self.counts = server.counts()
            self.after = planned(folder, spec)
            self.told = grasp(folder, "plan", "paid.yaml").stdout
            # Another max_tokens is another request; the same prompts again are not.
            self.again = planned(folder, spec, "--set", "text.items.fallback=drop")

    def billed(self, path: str) -> tuple[int, int, int]:
        """Requests, input tokens, output tokens."""
        numbers = {event["n"] for event in self.counts.of("received") if event["path"].endswith(path)}
        events = [event for event in self.counts.of("billed") if event["n"] in numbers]
        return (
            len(events),
            sum(event["input_tokens"] for event in events),
            sum(event["output_tokens"] for event in events),
        )

    def sent(self, path: str) -> list[dict[str, Any]]:
        """Bodies of the requests."""
        events = (event for event in self.counts.of("received") if event["path"].endswith(path))
        return [json.loads(event["text"]) for event in events]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("money"))


def test_a_plan_asks_nothing_and_leaves_nothing_behind(story: Story) -> None:
    assert story.asked_before_run == ""
    assert not story.left_behind


def test_the_quote_for_texts_is_what_was_sent_counted_by_litellm(story: Story) -> None:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    quote = by_label(story.before["quotes"])["text items"]
    sent = story.sent("/chat/completions")
    counted = sum(litellm.token_counter(model=MODEL, messages=body["messages"]) for body in sent)
    assert quote["exact"]
    assert quote["least"]["requests"] == quote["most"]["requests"] == len(sent) > 10
    assert quote["least"]["input_tokens"] == quote["most"]["input_tokens"] == counted
    assert quote["most"]["output_tokens"] == 64 * len(sent)
    inward, outward = litellm.cost_per_token(
        model=MODEL, prompt_tokens=counted, completion_tokens=64 * len(sent)
    )
    assert quote["dollars_at_least"] == pytest.approx(inward)
    assert quote["dollars_at_most"] == pytest.approx(inward + outward)
    assert quote["answered"] == 0


def test_the_quote_for_vectors_of_known_texts_is_exact_and_else_a_bound(story: Story) -> None:
    import litellm

    quotes = by_label(story.before["quotes"])
    sent = story.sent("/embeddings")
    bounds, exact = quotes["embeddings items"], quotes["embeddings users"]
    assert exact["exact"]
    assert not bounds["exact"]
    counted = sum(
        litellm.token_counter(model="text-embedding-3-small", text=text)
        for body in sent
        for text in body["input"]
    )
    assert exact["most"]["requests"] <= len(sent) <= exact["most"]["requests"] + bounds["most"]["requests"]
    assert exact["most"]["input_tokens"] < counted
    assert counted <= exact["most"]["input_tokens"] + bounds["most"]["input_tokens"]


def test_the_real_spend_is_what_the_server_billed(story: Story) -> None:
    spent = by_label(story.after["spent"])
    assert set(spent) == {"text items", "embeddings users", "embeddings items"}
    texts = spent["text items"]["spent"]
    billed = story.billed("/chat/completions")
    assert (texts["requests"], texts["input_tokens"], texts["output_tokens"]) == billed
    assert texts["cost_usd"] == pytest.approx((billed[1] * 0.15 + billed[2] * 0.6) / 1e6)  # OpenAI's price
    vectors = [spent[f"embeddings {side}"]["spent"] for side in ("users", "items")]
    requests, inward, _ = story.billed("/embeddings")
    assert sum(each["requests"] for each in vectors) == requests
    assert sum(each["input_tokens"] for each in vectors) == inward
    assert not any(each["lost_requests"] for each in [texts, *vectors])


def test_run_says_it_before_and_after(story: Story) -> None:
    requests, inward, outward = story.billed("/chat/completions")
    lines = story.run.stderr.splitlines()
    quote = next(k for k, line in enumerate(lines) if "text items: openai/gpt-4o-mini:" in line)
    spend = next(k for k, line in enumerate(lines) if "text items: openai/gpt-4o-mini: spent $" in line)
    assert f"{requests:,} requests" in lines[quote]
    assert f"on {requests:,} requests, {inward:,} input and {outward:,} output tokens" in lines[spend]
    assert quote < spend
    assert "text items: openai/gpt-4o-mini: spent $" in story.told


def test_afterwards_nothing_is_left_to_ask(story: Story) -> None:
    assert story.after["quotes"] == []
    again = by_label(story.again["quotes"])["text items"]
    assert again["most"] == {"requests": 0, "input_tokens": 0, "output_tokens": 0}
    assert again["answered"] == by_label(story.before["quotes"])["text items"]["most"]["requests"]


Quoted = Callable[..., dict[str, Any]]


@pytest.fixture
def quotes_for(tmp_path: Path) -> Quoted:
    """The quote for items' texts with more keys in their section; no server is there."""

    def quote(more: str, *arguments: str) -> dict[str, Any]:
        spec = spec_of("http://127.0.0.1:9/v1", f"\n    {more}", users=1500)
        return by_label(planned(tmp_path, spec, *arguments)["quotes"])["text items"]

    return quote


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("max_cost_usd: 0.00001", "max_cost_usd 1e-05 stops it before the end"),
        ("max_tokens_total: 10", "max_tokens_total 10 stops it before the end"),
        ("max_cost_usd: 0.005", "max_cost_usd 0.005 may stop it before the end"),
        ("max_tokens_total: 100000000", None),
        ("max_cost_usd: 100", None),
    ],
)
def test_limits_that_will_not_do_are_told_of(quotes_for: Quoted, more: str, said: str | None) -> None:
    assert quotes_for(more)["stops"] == ([said] if said else [])


def test_an_unknown_price_is_unknown_until_the_spec_says_it(quotes_for: Quoted) -> None:
    unknown = quotes_for("top_p: 1.0", "--set", "text.items.model=openai/mine")
    assert (unknown["dollars_at_least"], unknown["dollars_at_most"], unknown["exact"]) == (None, None, False)
    own = quotes_for(
        "price: {input_per_million: 2, output_per_million: 4}", "--set", "text.items.model=openai/mine"
    )
    tokens = own["least"]["input_tokens"], own["most"]["output_tokens"]
    assert own["dollars_at_most"] == pytest.approx((tokens[0] * 2 + tokens[1] * 4) / 1e6)


@pytest.mark.parametrize("command", ["plan", "run"])
def test_a_limit_on_an_unknown_price_is_refused_at_its_line(command: str, tmp_path: Path) -> None:
    spec = spec_of("http://127.0.0.1:9/v1", "\n    max_cost_usd: 1")
    (tmp_path / "paid.yaml").write_text(spec.replace("openai/gpt-4o-mini", "openai/mine"))
    done = grasp(tmp_path, command, "paid.yaml")
    assert done.exit_code == 2
    assert done.stderr.startswith("paid.yaml:14:19 text.items.max_cost_usd: cannot be kept, the price of")
    assert "text.items.price" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_key_is_noted_by_plan_and_refused_by_run(tmp_path: Path) -> None:
    spec = spec_of("http://127.0.0.1:9/v1", "\n    api_key_env: MY_OWN_KEY")
    (tmp_path / "paid.yaml").write_text(spec)
    noted = grasp(tmp_path, "plan", "paid.yaml")
    assert noted.exit_code == 0, noted.stderr
    assert "MY_OWN_KEY is set neither in the environment nor in .env" in noted.stdout
    refused = grasp(tmp_path, "run", "paid.yaml", "--device", "cpu")
    assert refused.exit_code == 7
    assert "MY_OWN_KEY" in refused.stderr
    assert not (tmp_path / ".grasp_bench" / "train").exists()
    assert not (tmp_path / ".grasp_bench" / "split").exists()
    quiet = grasp(tmp_path, "plan", "paid.yaml", MY_OWN_KEY="a-secret-value")
    assert "MY_OWN_KEY" not in quiet.stdout
    assert "a-secret-value" not in quiet.stdout + quiet.stderr


def test_a_quote_imports_neither_litellm_nor_torch(tmp_path: Path) -> None:
    (tmp_path / "paid.yaml").write_text(spec_of("http://127.0.0.1:9/v1"))
    command = [sys.executable, "-X", "importtime", "-m", "grasp_bench", "plan", "paid.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "text items: openai/gpt-4o-mini: " in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "tiktoken" in imported
    assert imported.isdisjoint({"litellm", "openai", "torch", "scipy", "sentence_transformers"})


def test_a_sample_of_a_large_catalogue_is_told_as_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grasp_bench.core.store import Store
    from grasp_bench.engine.costs import quote_line, quotes_for
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.spec.loading import load_text
    from grasp_bench.stages import quotation

    spec = spec_of("http://127.0.0.1:9/v1", users=1500)
    plan = compile_plan(load_text(spec).experiment, str)
    [whole] = [q for q in quotes_for(plan.nodes, Store(tmp_path), print) if q.label == "text items"]
    monkeypatch.setattr(quotation, "SAMPLE", 100)
    [part] = [q for q in quotes_for(plan.nodes, Store(tmp_path), print) if q.label == "text items"]
    assert whole.exact
    assert not part.exact
    assert part.most.input_tokens == pytest.approx(whole.most.input_tokens, rel=0.05)
    assert "about " in quote_line(part)
    assert "about " not in quote_line(whole)
