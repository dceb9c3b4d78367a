"""Settings of the GRU4Rec backbone."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from grasp_bench.spec.section import WIDTH_AND_DROPOUT, BackboneSettings, Space


class GRU4RecSettings(BackboneSettings):
    """A gated recurrent network (Hidasi et al., ICLR 2016)."""

    implementation = "grasp_bench.models.backbones.gru4rec:GRU4Rec"
    space: ClassVar[Space] = {**WIDTH_AND_DROPOUT, "model.layers": (1, 2, "choice")}

    layers: int = Field(1, ge=1)
