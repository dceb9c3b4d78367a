"""`encoder:` — text to vectors. Adding an encoder adds a variant here and a file in encoders/."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from grasp_bench.spec.section import Section
from grasp_bench.spec.service import Service


class Reduction(Section):
    """Fewer dimensions, unit norm again: `pca` (fitted on the items' vectors, without centring, so that
    dot products between users and items keep their meaning) or `matryoshka` (the first dimensions, for
    models trained so that those suffice)."""

    kind: Literal["pca", "matryoshka"]
    dimensions: int = Field(ge=2)


class _Encoder(Section):
    """What every encoder may be asked for."""

    reduce: Reduction | None = None


class _TextEncoder(_Encoder):
    """What goes before each text: some models expect a word that says what it is (E5: `query: `). Entities
    without a text get the mean vector of the others of their side."""

    user_prefix: str = ""
    item_prefix: str = ""


class SentenceTransformersEncoder(_TextEncoder):
    """A local sentence-transformers model."""

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


class LiteLLMEncoder(_TextEncoder, Service):
    """Vectors from an embedding API; every vector is kept and never paid for twice."""

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


class PrecomputedEncoder(_Encoder):
    """Vectors made elsewhere: .parquet, .jsonl or .csv (columns id and vector, in CSV written "[0.1, 0.2]");
    .npy or .safetensors with ids in <name>.ids.txt, one a line; or LLM-ESR's folder `handled` or a .pkl of
    it, row k for id k + 1, or for the raw id by id_map.json beside it."""

    kind: Literal["precomputed"] = "precomputed"
    users: str = Field(min_length=1)
    items: str = Field(min_length=1)
    missing: Literal["fail", "mean"] = Field(
        "fail", description="Entities without a vector: stop, or the mean vector of the others of their side."
    )
    normalize: bool = Field(True, description="Scale to unit norm; otherwise vectors are taken as they are.")
    scope: Literal["train", "train_and_validation", "all"] = "train"
    leaks: Literal["refuse", "mark"] = "refuse"


EncoderSource = Annotated[
    SentenceTransformersEncoder | LiteLLMEncoder | PrecomputedEncoder, Field(discriminator="kind")
]
