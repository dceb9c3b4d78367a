"""Token counts against litellm's, without a network; bounds against real encodings and random text."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grasp_bench.services.tokens import counter, most_tokens

PROMPT = "Summarise «Crème à 12,50 €» — 面霜 🧴 for a shopper.\n\nHistory: a, b, <|endoftext|>, c"
SYSTEM = "You are a careful shop assistant."
CHAT_MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4", "gpt-3.5-turbo")


@pytest.fixture(scope="module")
def litellm():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm

        yield litellm


@pytest.mark.parametrize("model", CHAT_MODELS)
def test_openai_chats_count_as_in_litellm(litellm, model):
    counted = counter(f"openai/{model}")
    user = {"role": "user", "content": PROMPT}
    assert counted.exact
    assert counted.count_chat([PROMPT]) == litellm.token_counter(model=model, messages=[user])
    both = [{"role": "system", "content": SYSTEM}, user]
    assert counted.count_chat([SYSTEM, PROMPT]) == litellm.token_counter(model=model, messages=both)


def test_openai_embeddings_count_as_in_litellm(litellm):
    counted = counter("text-embedding-ada-002")
    assert counted.exact
    assert counted.count(PROMPT) == litellm.token_counter(model="text-embedding-ada-002", text=PROMPT)


def test_a_count_worked_out_by_openai():
    # The example of OpenAI's cookbook, "How to count tokens with tiktoken": 6 tokens in cl100k_base.
    assert counter("gpt-4").count("tiktoken is great!") == 6


@pytest.mark.parametrize("model", ["azure/gpt-4o-mini", "ft:gpt-4o-mini:org::id", "openrouter/openai/gpt-4o"])
def test_exact_where_the_model_is_openais(model):
    assert counter(model).exact


@pytest.mark.parametrize(
    "model",
    ["ollama/qwen2.5:7b", "anthropic/claude-sonnet-4-5", "openai/mine", "groq/openai/gpt-oss-120b", "x"],
)
def test_about_where_it_is_not(litellm, model):
    assert not counter(model).exact
    assert counter(model).count(PROMPT) == pytest.approx(litellm.token_counter(model="gpt-4", text=PROMPT))


def test_bytes_stand_in_where_litellm_brings_no_encoding(monkeypatch):
    monkeypatch.setattr("grasp_bench.services.tokens.find_spec", lambda name: None)
    rough = counter.__wrapped__("gpt-4o-mini")
    assert not rough.exact
    assert rough.count("abcde") == 2


@settings(max_examples=200)
@given(st.text(st.characters(), max_size=60), st.sampled_from(["gpt-4o", "gpt-4"]))
def test_the_bound_holds_for_any_text(text, model):
    assert counter(model).count_chat([text]) <= most_tokens(text)


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "🏳️‍🌈" * 40])
def test_odd_texts_are_counted(text):
    assert 0 <= counter("gpt-4o").count_chat([text]) <= most_tokens(text)


def test_nothing_is_downloaded():
    code = (
        "import socket\n"
        "def refuse(*_): raise SystemExit('a connection was opened')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        "from grasp_bench.services.tokens import counter\n"
        "for model in ('gpt-4o', 'gpt-4', 'text-davinci-002', 'text-davinci-001', 'gpt2', 'gpt-oss-20b'):\n"
        "    counter(model).count('a')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
