"""What a model costs, from the cost map that litellm brings along, without importing litellm.

A name is looked up as litellm does it: as it stands, then without its provider, then without what
only tells snapshots, fine-tunings and regions apart; an entry of another provider never counts.

`api_base` changes no price. A server that answers to the name of a priced model is most likely a
gateway to it, and a budget had better stop early than late; a server of one's own has names that the
map does not know (`openai/my-model`: unknown, unless the spec gives `price:`). Programs that run
models on one's own machine are free, whatever the model, but for Ollama's cloud. Of anybody else, a
price of nothing means that nobody entered one: it counts as unknown.

Prices are those of a plain request: no discount for batches or cached prompts, and the rates of prompts
below the first tier's bound (128,000 tokens and more; dashscope's first is at 32,000 and more).
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
OWN_MACHINE = frozenset({"ollama", "ollama_chat", "lm_studio", "llamafile", "docker_model_runner", "vllm"})
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
    """Dollars a million tokens: the spec's own price, else the cost map's; None when neither knows.

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
    """Dollars for so many tokens; None where the price is unknown."""
    if price is None:
        return None
    return (input_tokens * price.input_per_million + output_tokens * price.output_per_million) / MILLION


def width_of(model: str) -> int | None:
    """Dimensions of an embedding model's vectors, as far as the map says."""
    width = (_entry(model) or {}).get("output_vector_size")
    return int(width) if width else None


def provider_of(model: str) -> str | None:
    """Who runs the model: the name's own prefix, else what the map says of it."""
    provider, slash, _ = model.partition("/")
    return provider if slash else (_entry(model) or {}).get("litellm_provider")


def _on_own_machine(service: Service) -> bool:
    host = urlsplit(service.api_base or "").hostname or ""
    paid = any(host == each or host.endswith(f".{each}") for each in PAID_HOSTS)
    return service.model.partition("/")[0] in OWN_MACHINE and "/" in service.model and not paid


def _per_million(per_token: float) -> float:
    return round(float(per_token) * MILLION, 9)  # 1.5e-07 × 1e6 is 0.15, not 0.15000000000000002


def _entry(model: str) -> Mapping[str, Any] | None:
    """The map's line of a model that is asked for by this name, letter case aside."""
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
    """A model's name without its snapshot, or the owner's part of a fine-tuning's name."""
    for pattern in (SNAPSHOT, FINE_TUNING) if name.startswith("ft:") else (SNAPSHOT,):
        if (short := pattern.sub("", name)) != name:
            yield short


def _same_provider(listed: str, asked: str) -> bool:
    if listed == asked or listed in ALIASES.get(asked, ()):
        return True
    return any(asked.startswith(family) and listed.startswith(family) for family in FAMILIES)


@lru_cache(maxsize=1)
def _cost_map() -> Mapping[str, Mapping[str, Any]]:
    """Lower-case model name to its line; empty when litellm lies elsewhere than in a folder."""
    spec = find_spec("litellm")  # of a top-level package: looked for, not imported
    if spec is None or spec.origin is None:
        return {}
    path = Path(spec.origin).with_name(COST_MAP)
    if not path.is_file():
        return {}
    lines: dict[str, dict[str, Any]] = json.loads(path.read_bytes())
    # Two of its lines are no models: a specimen, and rules for models to come.
    return {name.lower(): line for name, line in lines.items() if line.get("mode") in MODES}
