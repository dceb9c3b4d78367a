"""Look up what a model costs in litellm's cost map, without importing litellm.

A name is looked up as litellm does it: as it stands, without its provider, then without snapshot,
fine-tuning and region. An entry of another provider never counts.

`api_base` changes no price: a server with the name of a priced model is most likely a gateway to it, and a
budget should stop early rather than late. A name that the map lacks (`openai/my-model`) has an unknown price
unless the spec gives `price:`. Programs that run models on the user's machine are free, except Ollama's
cloud. For all others a price of zero means a missing entry and counts as unknown.

Prices are those of a plain request: no discount for batches or cached prompts, and the first tier's rate
(prompts below 128,000 tokens; dashscope's below 32,000).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grasp_bench.spec.service import Price, Service

COST_MAP = "model_prices_and_context_window_backup.json"
BY_REQUEST = ("input_cost_per_request", "input_cost_per_query")
MODES = ("chat", "embedding", "completion", "responses")
MILLION = 1_000_000
OWN_MACHINE = frozenset(
    {"local", "ollama", "ollama_chat", "lm_studio", "llamafile", "docker_model_runner", "vllm"}
)
PAID_HOSTS = ("ollama.com",)
# Providers whose models are listed under the names of other ones.
ALIASES = {
    "azure_ai": ("azure", "openai"),
    "github": ("openai", "azure"),
    "text-completion-openai": ("openai",),
}
FAMILIES = ("vertex_ai", "fireworks_ai", "bedrock")  # of bedrock, bedrock_converse, …
REGION = re.compile(  # converse/us-west-2/us.anthropic.claude: all but the model
    r"^(?:converse/|invoke/)?(?:[a-z]{2}(?:-gov)?-[a-z]+-\d/)?(?:(?:us|eu|apac|ap|jp|au|ca|global|us-gov)\.)?"
)
SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
FINE_TUNING = re.compile(r"(:[^:]*){3}$")


def price_of(service: Service) -> Price | None:
    """Return dollars per million tokens: the spec's price, else the cost map's; None when unknown.

    A model billed by characters, seconds or requests counts as unknown.
    """
    if service.price is not None:
        return service.price
    if _on_own_machine(service):
        return Price(input_per_million=0.0)
    entry = _entry(service.model)
    if entry is None or any(entry.get(key) for key in BY_REQUEST):
        return None
    tier = (entry.get("tiered_pricing") or [entry])[0]
    inward, outward = tier.get("input_cost_per_token"), tier.get("output_cost_per_token")
    if not (inward or outward) or inward is None or (outward is None and entry.get("mode") != "embedding"):
        return None
    return Price(input_per_million=_per_million(inward), output_per_million=_per_million(outward or 0.0))


def cost_of(price: Price | None, input_tokens: int, output_tokens: int) -> float | None:
    """Return dollars for these tokens; None when the price is unknown."""
    if price is None:
        return None
    return (input_tokens * price.input_per_million + output_tokens * price.output_per_million) / MILLION


def width_of(model: str) -> int | None:
    """Return the dimensions of an embedding model, if the map has them."""
    width = (_entry(model) or {}).get("output_vector_size")
    return int(width) if width else None


def provider_of(model: str) -> str | None:
    """Return the provider: the prefix of the name, else the map's entry."""
    provider, slash, _ = model.partition("/")
    return provider if slash else (_entry(model) or {}).get("litellm_provider")


def _on_own_machine(service: Service) -> bool:
    host = urlsplit(service.api_base or "").hostname or ""
    paid = any(host == each or host.endswith(f".{each}") for each in PAID_HOSTS)
    return service.model.partition("/")[0] in OWN_MACHINE and "/" in service.model and not paid


def _per_million(per_token: float) -> float:
    return round(float(per_token) * MILLION, 9)  # 1.5e-07 × 1e6 is 0.15, not 0.15000000000000002


def _entry(model: str) -> Mapping[str, Any] | None:
    """Return the map's entry for a model name, ignoring case."""
    entries = _cost_map()
    provider, slash, rest = model.lower().partition("/")
    if found := entries.get(model.lower()):
        return found
    for name in _other_names(provider, rest) if slash else _shorter(provider):
        found = entries.get(name)
        if found is not None and (not slash or _same_provider(found["litellm_provider"], provider)):
            return found
    return None


def _other_names(provider: str, rest: str) -> Iterator[str]:
    names = [rest]
    if provider.startswith("bedrock"):
        names.append(REGION.sub("", rest))
    for name in names:
        yield name
        for short in _shorter(name):
            yield f"{provider}/{short}"
            yield short


def _shorter(name: str) -> Iterator[str]:
    """Yield the name without its snapshot, or without the owner of a fine-tuned model."""
    for pattern in (SNAPSHOT, FINE_TUNING) if name.startswith("ft:") else (SNAPSHOT,):
        if (short := pattern.sub("", name)) != name:
            yield short


def _same_provider(listed: str, asked: str) -> bool:
    if listed == asked or listed in ALIASES.get(asked, ()):
        return True
    return any(asked.startswith(family) and listed.startswith(family) for family in FAMILIES)


@lru_cache(maxsize=1)
def _cost_map() -> Mapping[str, Mapping[str, Any]]:
    """Map lower-case model names to entries; empty when litellm is not in a folder."""
    spec = find_spec("litellm")  # does not import a top-level package
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).with_name(COST_MAP)
    if not path.is_file():
        return {}
    lines: dict[str, dict[str, Any]] = json.loads(path.read_bytes())
    # Two entries are not models: an example, and rules for future models.
    return {name.lower(): line for name, line in lines.items() if line.get("mode") in MODES}
