"""Settings of the enhancer LLMInit."""

from __future__ import annotations

from pydantic import Field

from grasp_bench.spec.component import EnhancerSettings


class LLMInitSettings(EnhancerSettings):
    """The item table starts from the principal components of the items' embeddings."""

    implementation = "grasp_bench.models.enhancers.llminit:LLMInit"
    reads = ("item_embeddings",)

    init_std: float | None = Field(
        None, gt=0, description="llminit: bring the table to this standard deviation; else PCA's own scale."
    )
