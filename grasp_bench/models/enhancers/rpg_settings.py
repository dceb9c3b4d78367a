"""Settings of RPG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from grasp_bench.spec.section import CONTEXT, Context, EnhancerSettings, Space, roles_of_context


class RPGSettings(EnhancerSettings):
    """Long unordered semantic IDs, whose codes are predicted in parallel (arXiv 2506.05781)."""

    implementation = "grasp_bench.models.enhancers.rpg:RPG"
    reads = ("item_codes",)
    semantic_ids: ClassVar[Mapping[str, Any]] = {"method": "opq", "levels": 32, "collisions": "keep"}
    own_loss = True
    training_cost = 12.0
    space: ClassVar[Space] = {"model.code_temperature": (0.03, 0.3, "log")}

    code_temperature: float = Field(
        0.07, gt=0, description="rpg: divides the cosines between a state and the vectors of codes."
    )
    context: Context = CONTEXT

    def roles(self) -> tuple[str, ...]:
        """Return the codes, and the users' vectors that the context reads."""
        return (*self.reads, *roles_of_context(self.context))
