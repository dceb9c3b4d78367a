"""Settings of TIGER."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from grasp_bench.models.generative.generator_settings import GeneratorSettings
from grasp_bench.spec.section import Space


class TigerSettings(GeneratorSettings):
    """An encoder-decoder that generates the codes of the next item (arXiv 2305.05065)."""

    implementation = "grasp_bench.models.generative.tiger:Tiger"
    semantic_ids: ClassVar[Mapping[str, Any]] = {
        "method": "rq_kmeans", "levels": 3, "collisions": "extra_level",
    }  # fmt: skip
    training_cost = 40.0
    space: ClassVar[Space] = {"model.encoder_layers": (2, 4), "model.decoder_layers": (2, 4)}

    encoder_layers: int = Field(4, ge=1, description="tiger: layers of the encoder; 4 as published.")
    user_tokens: int = Field(
        2000, ge=0, description="tiger: a user is one of so many tokens, by a hash; 0 for none."
    )
    examples: int | None = Field(
        1,
        ge=1,
        description="tiger: histories of a user in an epoch, each up to an item drawn at random; null: all.",
    )
