"""Settings of the encoder `litellm`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grasp_bench.spec.encoder import TextEncoderSettings
from grasp_bench.spec.service import Service


class LiteLLMEncoder(TextEncoderSettings, Service):
    """Vectors from an embedding API; every vector is kept and never paid for twice."""

    implementation = "grasp_bench.encoders.litellm:LiteLLMVectors"

    kind: Literal["litellm"] = "litellm"
    model: str = Field("text-embedding-ada-002", min_length=1, description="litellm's name; the paper's.")
    dimensions: int | None = Field(
        None,
        ge=2,
        description="Expected width, checked; by default what litellm knows of the model. Sent, where it is "
        "another than that: some models then give shorter vectors.",
    )
    batch_size: int = Field(
        128, ge=1, le=2048, description="Texts in one request; some providers take 100 at most."
    )
    max_tokens: int = Field(8191, ge=8, description="Of one text; longer ones are cut at the end.")
    normalize: bool = True
