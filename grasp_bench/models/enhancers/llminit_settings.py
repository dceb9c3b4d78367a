"""Settings of the enhancer LLMInit."""

from __future__ import annotations

from pydantic import Field

from grasp_bench.spec.section import EnhancerSettings


class LLMInitSettings(EnhancerSettings):
    """The item table is initialised with the principal components of the items' embeddings."""

    implementation = "grasp_bench.models.enhancers.llminit:LLMInit"
    reads = ("item_embeddings",)

    init_std: float | None = Field(
        None, gt=0, description="llminit: standard deviation of the initial table; default PCA's own scale."
    )
