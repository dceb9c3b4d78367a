"""Settings of the encoder `sentence_transformers`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from grasp_bench.spec.encoder import TextEncoderSettings


class SentenceTransformers(TextEncoderSettings):
    """A local sentence-transformers model."""

    implementation = "grasp_bench.encoders.sentence_transformers:SentenceTransformersTextEncoder"

    kind: Literal["sentence_transformers"] = "sentence_transformers"
    model: str = Field("all-MiniLM-L6-v2", description="Hub name or folder.")
    max_tokens: int = Field(256, ge=8)
    batch_tokens: int | None = Field(
        None, ge=64, description="Tokens per batch, padding included; by default what suits the device."
    )
    dtype: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="auto: bfloat16 autocast where the device computes it natively; with MiniLM it keeps "
        "0.99 of float32's ten nearest neighbours. int8 quantises the linear layers and keeps about 0.93; "
        "the artefact's facts say how many.",
    )
    normalize: bool = True
