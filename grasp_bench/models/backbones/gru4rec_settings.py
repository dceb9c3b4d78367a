"""Settings of the GRU4Rec backbone."""

from __future__ import annotations

from pydantic import Field

from grasp_bench.spec.section import BackboneSettings


class GRU4RecSettings(BackboneSettings):
    """A gated recurrent network (Hidasi et al., ICLR 2016)."""

    implementation = "grasp_bench.models.backbones.gru4rec:GRU4Rec"

    layers: int = Field(1, ge=1)
