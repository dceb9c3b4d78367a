"""Settings of FlexCode's generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from grasp_bench.models.generative.generator_settings import GeneratorSettings
from grasp_bench.spec.section import Space


class FlexCodeSettings(GeneratorSettings):
    """A causal transformer that generates collaborative and semantic codes (arXiv 2511.20673)."""

    implementation = "grasp_bench.models.generative.flexcode:FlexCode"
    semantic_ids: ClassVar[Mapping[str, Any]] = {
        "method": "flexcode", "levels": 4, "collisions": "extra_level",
    }  # fmt: skip
    training_cost = 20.0
    space: ClassVar[Space] = {"model.decoder_layers": (2, 4)}
