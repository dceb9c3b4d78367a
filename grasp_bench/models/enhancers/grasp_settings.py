"""Settings of the enhancer GRASP."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from grasp_bench.spec.section import EMBEDDING_SCALE, EmbeddingScale, EnhancerSettings, Space


class GraspSettings(EnhancerSettings):
    """Holistic attention over own, neighbour and global embeddings (arXiv 2511.20177)."""

    implementation = "grasp_bench.models.enhancers.grasp:Grasp"
    reads = ("user_embeddings", "item_embeddings", "user_neighbours", "item_neighbours")
    reads_profile_per_position = True
    shuffled_control = True
    training_cost = 1.6
    scoring_cost = 5.0
    later = ("embedding_scale",)
    space: ClassVar[Space] = {"model.mlp_depth": (1, 2), "model.id_residual": (False, True)}

    attention: Literal["sigmoid", "softmax", "none"] = "sigmoid"
    softmax_over: Literal["prefix", "sequence"] = Field(
        "prefix",
        description="softmax: normalise a position's weight over the positions before it, or (as published) "
        "over the whole sequence; a candidate counts as one more position.",
    )
    self_part: bool = Field(True, alias="self")
    similar_part: bool = Field(True, alias="similar")
    global_part: bool = Field(True, alias="global")
    mlp_depth: int = Field(2, ge=1, le=4)
    mlp_hidden: int | None = Field(None, ge=2, description="Width of hidden layers; default embedding_dim.")
    logit_scale: Literal["fixed", "learnable"] = "fixed"
    logit_scale_init: float = Field(1.0, gt=0, description="Factor of the logits of eq. 3; the paper has 1.")
    id_residual: bool = Field(False, description="Add a learned ID embedding to the enhanced vector.")
    embedding_scale: EmbeddingScale = EMBEDDING_SCALE

    @model_validator(mode="after")
    def _some_part_is_read(self) -> GraspSettings:
        if not (self.self_part or self.similar_part or self.global_part):
            raise ValueError("grasp needs at least one of self, similar, global")
        return self
