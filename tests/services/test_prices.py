"""Prices against litellm itself, the owner of the map; and what is not litellm's to say."""

from __future__ import annotations

import subprocess
import sys

import pytest

from grasp_bench.services.prices import cost_of, price_of, width_of
from grasp_bench.spec.service import Price, Service

KNOWN = (
    "gpt-4o-mini", "openai/gpt-4o-mini", "openai/gpt-4o-mini-2024-07-18", "azure/gpt-4o-mini",
    "openai/GPT-4o-Mini",
    "gpt-3.5-turbo", "openai/ft:gpt-4o-mini-2024-07-18:org:name:id", "text-embedding-ada-002",
    "openai/text-embedding-3-small", "azure/text-embedding-3-large", "anthropic/claude-sonnet-4-5",
    "claude-sonnet-4-5-20250929", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "bedrock/us-west-2/anthropic.claude-instant-v1", "gemini/gemini-2.5-flash", "vertex_ai/gemini-2.5-pro",
    "mistral/mistral-small-latest", "deepinfra/meta-llama/Meta-Llama-3.1-8B-Instruct",
    "cohere/embed-english-v3.0",
)  # fmt: skip


@pytest.fixture(scope="module")
def litellm():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        import litellm

        yield litellm


@pytest.mark.parametrize("model", KNOWN)
def test_costs_what_litellm_says(litellm, model):
    inward, outward = litellm.cost_per_token(model=model, prompt_tokens=1234, completion_tokens=567)
    price = price_of(Service(model=model))
    assert inward > 0
    assert cost_of(price, 1234, 567) == pytest.approx(inward + outward, rel=1e-9)


def test_an_answer_costs_what_litellm_says(litellm):
    answer = litellm.completion(
        "openai/gpt-4o-mini", messages=[{"role": "user", "content": "?"}], mock_response="!"
    )
    usage = answer.usage
    ours = cost_of(
        price_of(Service(model="openai/gpt-4o-mini")), usage.prompt_tokens, usage.completion_tokens
    )
    assert ours == pytest.approx(litellm.completion_cost(answer), rel=1e-9)


@pytest.mark.parametrize(
    "model",
    ["openai/my-model", "my-model", "openai/mistral-large-latest", "nobody/gpt-4o-mini", "gpt-4o-mini/",
     "/gpt-4o-mini", "sample_spec", "fallback_generalizations", "openai/ж", "hosted_vllm/qwen", "ollama",
     "volcengine/doubao-embedding"],
)  # fmt: skip
def test_unknown_is_unknown(model):
    assert price_of(Service(model=model)) is None
    assert cost_of(None, 10, 10) is None


def test_the_price_of_the_spec_wins():
    own = Price(input_per_million=7, output_per_million=9)
    assert price_of(Service(model="gpt-4o-mini", price=own)) == own
    assert cost_of(own, 1_000_000, 2_000_000) == 25


@pytest.mark.parametrize("model", ["ollama/qwen2.5:7b", "ollama_chat/any", "lm_studio/x", "ollama/llama3"])
def test_models_on_ones_own_machine_are_free(model):
    assert cost_of(price_of(Service(model=model)), 10**9, 10**9) == 0
    assert cost_of(price_of(Service(model=model, api_base="http://192.168.1.5:11434")), 10**9, 10**9) == 0
    assert price_of(Service(model=model, api_base="https://ollama.com/v1")) is None


def test_an_address_changes_no_price():
    gateway = Service(model="openai/gpt-4o-mini", api_base="http://localhost:4000/v1")
    assert price_of(gateway) == price_of(Service(model="gpt-4o-mini"))
    assert price_of(Service(model="openai/local", api_base="http://localhost:4000/v1")) is None


def test_widths_of_embedding_models():
    assert width_of("text-embedding-ada-002") == 1536  # OpenAI's documentation
    assert width_of("openai/text-embedding-3-large") == 3072
    assert width_of("gpt-4o-mini") is None
    assert width_of("openai/unknown") is None


def test_litellm_is_not_imported():
    code = (
        "import sys; from grasp_bench.spec.service import Service;"
        "from grasp_bench.services import prices, tokens;"
        "assert prices.price_of(Service(model='gpt-4o-mini')); tokens.counter('gpt-4o-mini').count('a');"
        "assert not {'litellm', 'openai', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
