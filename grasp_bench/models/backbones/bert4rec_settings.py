"""Settings of the BERT4Rec backbone."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from grasp_bench.spec.section import WIDTH_AND_DROPOUT, BackboneSettings, Space


class BERT4RecSettings(BackboneSettings):
    """Bidirectional self-attention, trained to fill in masked items (Sun et al., CIKM 2019)."""

    implementation = "grasp_bench.models.backbones.bert4rec:BERT4Rec"
    masked_training = True
    token_cost = 4.0
    space: ClassVar[Space] = {**WIDTH_AND_DROPOUT, "model.mask_probability": (0.2, 0.8)}

    blocks: int = Field(2, ge=1)
    heads: int = Field(1, ge=1)
    mask_probability: float = Field(0.6, gt=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> BERT4RecSettings:
        if self.embedding_dim % self.heads:
            raise ValueError(f"embedding_dim {self.embedding_dim} is not divisible by heads {self.heads}")
        return self

    def looks_ahead(self) -> str:
        """Return the reason: attention is bidirectional."""
        return "reads the items on both sides of a masked one"
