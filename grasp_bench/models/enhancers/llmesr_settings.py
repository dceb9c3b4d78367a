"""Settings of the enhancer LLM-ESR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from grasp_bench.spec.section import EMBEDDING_SCALE, EmbeddingScale, EnhancerSettings, Space


class LLMESRSettings(EnhancerSettings):
    """A semantic and a collaborative view of items, and distillation from similar users (Liu et al., NeurIPS
    2024)."""

    implementation = "grasp_bench.models.enhancers.llmesr:LLMESR"
    reads = ("item_embeddings", "user_neighbours")
    shuffled_control = True
    training_cost = 4.0
    scoring_cost = 8.0
    later = ("embedding_scale",)
    space: ClassVar[Space] = {
        "model.cross_attention": (True, False),
        "model.distil_weight": (1e-3, 1.0, "log"),
    }

    collaborative_init: Literal["pca", "random"] = Field(
        "pca", description="llmesr: initial values of its ID table."
    )
    adapter_hidden: int | None = Field(
        None, ge=1, description="llmesr: width between the adapter's layers; by default half the embeddings'."
    )
    cross_attention: bool = Field(True, description="llmesr: between the two views.")
    cross_heads: int = Field(2, ge=1)
    cross_residual: bool = Field(False, description="llmesr: add a view's own vectors to the attention.")
    distil_weight: float = Field(
        0.1, ge=0, description="llmesr: weight of the distance to similar users; 0 is no distillation."
    )
    distil_dropout: bool = Field(
        False, description="llmesr: keep dropout on for similar users' states, as its released code does."
    )
    embedding_scale: EmbeddingScale = EMBEDDING_SCALE

    @classmethod
    def readings(cls, model: Mapping[str, Any]) -> float:
        """Two views, and without gradients those of about ten similar users of each."""
        return 8.0 if model["distil_weight"] else 2.0

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> LLMESRSettings:
        if self.cross_attention and self.embedding_dim % self.cross_heads:
            raise ValueError(
                f"embedding_dim {self.embedding_dim} is not divisible by cross_heads {self.cross_heads}"
            )
        return self
