"""Settings of the enhancer `none`."""

from __future__ import annotations

from grasp_bench.spec.section import EnhancerSettings


class NoEnhancerSettings(EnhancerSettings):
    """No enhancer: a learned table of item IDs."""

    implementation = "grasp_bench.models.enhancers.base:NoEnhancer"
