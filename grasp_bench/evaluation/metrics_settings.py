"""Settings of the metrics. None has keys."""

from __future__ import annotations

from grasp_bench.spec.section import MetricSettings


class NDCGSettings(MetricSettings):
    """Gain 1/log2(1 + rank) within the cutoff."""

    implementation = "grasp_bench.core.ranks:NDCG"


class HRSettings(MetricSettings):
    """1 within the cutoff."""

    implementation = "grasp_bench.core.ranks:HR"


class MRRSettings(MetricSettings):
    """1/rank within the cutoff."""

    implementation = "grasp_bench.core.ranks:MRR"
