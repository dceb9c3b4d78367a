"""Settings of the enhancer RLMRec."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from grasp_bench.spec.section import EnhancerSettings, Space


class RLMRecSettings(EnhancerSettings):
    """An auxiliary loss aligns learned representations with embeddings (Ren et al., WWW 2024)."""

    implementation = "grasp_bench.models.enhancers.rlmrec:RLMRec"
    reads = ("user_embeddings", "item_embeddings")
    training_cost = 1.2
    space: ClassVar[Space] = {
        "model.align_weight": (1e-3, 1.0, "log"),
        "model.align_temperature": (0.05, 1.0, "log"),
    }

    alignment: Literal["contrastive", "generative"] = "contrastive"
    align: Literal["both", "items", "users"] = Field("both", description="rlmrec: representations to align.")
    align_weight: float = Field(0.01, ge=0, description="rlmrec: weight of the alignment loss.")
    align_temperature: float = Field(0.2, gt=0)
    mask_share: float = Field(
        0.1, gt=0, le=1, description="rlmrec, generative: share of masked items in a history."
    )
