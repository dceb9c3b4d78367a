"""Settings of the SASRec backbone."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from grasp_bench.spec.section import WIDTH_AND_DROPOUT, BackboneSettings, Space


class SASRecSettings(BackboneSettings):
    """Self-attention over the history (Kang and McAuley, ICDM 2018)."""

    implementation = "grasp_bench.models.backbones.sasrec:SASRec"
    space: ClassVar[Space] = {**WIDTH_AND_DROPOUT, "model.blocks": (1, 2, 3)}

    blocks: int = Field(2, ge=1)
    heads: int = Field(1, ge=1)
    causal: bool = Field(True, description="False is SASRec as released with LLM-ESR, mask commented out.")

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> SASRecSettings:
        if self.embedding_dim % self.heads:
            raise ValueError(f"embedding_dim {self.embedding_dim} is not divisible by heads {self.heads}")
        return self

    def looks_ahead(self) -> str | None:
        """Return a reason if there is no causal mask."""
        return None if self.causal else "has no causal mask (set model.causal: true)"
