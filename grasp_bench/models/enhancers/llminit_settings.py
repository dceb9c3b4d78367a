"""Settings of the enhancer LLMInit."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from grasp_bench.spec.section import EnhancerSettings, Space


class LLMInitSettings(EnhancerSettings):
    """The item table is initialised with the principal components of the items' embeddings."""

    implementation = "grasp_bench.models.enhancers.llminit:LLMInit"
    reads = ("item_embeddings",)
    training_cost = 1.1
    space: ClassVar[Space] = {"model.init_std": (None, 0.02, 0.1, 0.5)}

    init_std: float | None = Field(
        None, gt=0, description="llminit: standard deviation of the initial table; default PCA's own scale."
    )
