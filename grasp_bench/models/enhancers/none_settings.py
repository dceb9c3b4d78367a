"""Settings of the enhancer `none`."""

from __future__ import annotations

from grasp_bench.spec.component import EnhancerSettings


class NoEnhancerSettings(EnhancerSettings):
    """A learned table of item IDs and nothing else."""

    implementation = "grasp_bench.models.enhancers.none:NoEnhancer"
