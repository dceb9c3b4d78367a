"""Settings of a paid or shared service: address, rate limits, spending limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from grasp_bench.spec.section import Section

# Keys that decide how answers are fetched, not their content: part of no hash.
DELIVERY_KEYS = (
    "api_key_env", "concurrency", "timeout_seconds", "max_attempts", "requests_per_minute",
    "tokens_per_minute", "max_cost_usd", "max_tokens_total", "price",
)  # fmt: skip
ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


LOCAL = "local/"  # a model in this process


def weights_of(model: str) -> Path | None:
    """Return the file or folder of `local/<path>`; None for a model that its name identifies."""
    path = Path(model.removeprefix(LOCAL)).expanduser()
    return path if model.startswith(LOCAL) and path.exists() else None


class Price(Section):
    """US dollars for a million tokens, for a model that litellm's cost map does not list."""

    input_per_million: float = Field(ge=0)
    output_per_million: float = Field(0.0, ge=0)


class Service(Section):
    """A model behind litellm. Access keys come from the environment or `.env`, never from a spec."""

    model: str = Field(
        min_length=1,
        description="litellm's name: openai/gpt-4o-mini, ollama/qwen2.5:7b, azure/<deployment>. "
        "local/smollm2, local/<a .gguf file, a folder or a hub's model> runs in this process.",
    )
    api_base: str | None = Field(None, description="Address of another OpenAI-compatible server.")
    api_key_env: Annotated[str, Field(pattern=ENVIRONMENT_NAME)] | None = Field(
        None, description="Environment variable with the access key; by default the provider's usual one."
    )
    concurrency: int = Field(32, ge=1, le=4096, description="Most requests in flight; a 429 lowers it.")
    timeout_seconds: float = Field(120.0, gt=0)
    max_attempts: int = Field(8, ge=1, description="Attempts of one request at transient errors.")
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)
    max_cost_usd: float | None = Field(None, gt=0, description="Stop before the cost exceeds this.")
    max_tokens_total: int | None = Field(None, ge=1, description="Stop before input and output exceed it.")
    price: Price | None = None

    @field_validator("api_base")
    @classmethod
    def _plain_address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("expected an address such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError("remove user name, password and query: keys come from the environment")
        return address
