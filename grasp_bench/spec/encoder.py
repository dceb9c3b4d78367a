"""`encoder:` — text to vectors. Adding an encoder adds a variant here and a file in encoders/."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from grasp_bench.spec.section import Section


class SentenceTransformersEncoder(Section):
    """A local sentence-transformers model."""

    kind: Literal["sentence_transformers"] = "sentence_transformers"
    model: str = Field("all-MiniLM-L6-v2", description="Hub name or folder.")
    max_tokens: int = Field(256, ge=8)
    batch_tokens: int | None = Field(
        None, ge=64, description="Tokens per batch, padding included; by default what suits the device."
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 autocast where the device computes it natively."
    )
    normalize: bool = True


class PrecomputedEncoder(Section):
    """Vectors made elsewhere: .parquet (columns id and vector), or .npy or .safetensors with ids in
    <name>.ids.txt, one a line."""

    kind: Literal["precomputed"] = "precomputed"
    users: str = Field(min_length=1)
    items: str = Field(min_length=1)
    normalize: bool = Field(True, description="Scale to unit norm; otherwise vectors are taken as they are.")
    scope: Literal["train", "train_and_validation", "all"] = "train"


EncoderSource = Annotated[SentenceTransformersEncoder | PrecomputedEncoder, Field(discriminator="kind")]
