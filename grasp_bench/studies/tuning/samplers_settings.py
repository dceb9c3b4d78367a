"""Settings of the samplers of a search."""

from __future__ import annotations

from grasp_bench.spec.section import SamplerSettings


class TPESettings(SamplerSettings):
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011)."""

    implementation = "grasp_bench.studies.tuning.samplers:tpe"


class GPSettings(SamplerSettings):
    """Bayesian optimisation by a Gaussian process."""

    implementation = "grasp_bench.studies.tuning.samplers:gp"


class GridSettings(SamplerSettings):
    """All points of choices, from the spec's own values outwards: first those that differ in one key."""

    implementation = "grasp_bench.studies.tuning.samplers:uniform"
    needs_choices = True


class RandomSettings(SamplerSettings):
    """Independent uniform draws."""

    implementation = "grasp_bench.studies.tuning.samplers:uniform"
