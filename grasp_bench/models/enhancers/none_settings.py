"""Settings of the enhancer `none`."""

from __future__ import annotations

from grasp_bench.spec.component import EnhancerSettings


class NoEnhancerSettings(EnhancerSettings):
    """No enhancer: a learned table of item IDs."""

    implementation = "grasp_bench.models.enhancers.item_table:NoEnhancer"
