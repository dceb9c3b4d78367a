"""What a paid or shared service needs to be told, whatever is asked of it: where, how fast, how much."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from grasp_bench.spec.section import Section

# Keys that decide how answers are fetched, never what they say: no part of any hash.
DELIVERY_KEYS = (
    "api_key_env", "concurrency", "timeout_seconds", "max_attempts", "requests_per_minute",
    "tokens_per_minute", "max_cost_usd", "max_tokens_total", "price",
)  # fmt: skip
ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Price(Section):
    """US dollars for a million tokens, where litellm's cost map does not know the model."""

    input_per_million: float = Field(ge=0)
    output_per_million: float = Field(0.0, ge=0)


class Service(Section):
    """A model behind litellm. Keys of access come from the environment or `.env`, never from here."""

    model: str = Field(
        min_length=1, description="litellm's name: openai/gpt-4o-mini, ollama/qwen2.5:7b, azure/<deployment>."
    )
    api_base: str | None = Field(None, description="Address of an OpenAI-compatible or private server.")
    api_key_env: Annotated[str, Field(pattern=ENVIRONMENT_NAME)] | None = Field(
        None, description="Environment variable that holds the key; by default the provider's usual one."
    )
    concurrency: int = Field(32, ge=1, le=4096, description="Requests in flight at most; 429 lowers it.")
    timeout_seconds: float = Field(120.0, gt=0)
    max_attempts: int = Field(8, ge=1, description="Tries of one request at errors that may pass.")
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)
    max_cost_usd: float | None = Field(None, gt=0, description="Stop before this is exceeded.")
    max_tokens_total: int | None = Field(None, ge=1, description="Input and output; stop before it.")
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
            raise ValueError("no user name, password or query here: keys come from the environment")
        return address
