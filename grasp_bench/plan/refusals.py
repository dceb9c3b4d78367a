"""What a spec may say but this version cannot run yet: refused before anything is computed."""

from __future__ import annotations

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.experiment import Experiment

NO_NOISE = "noise.rates: noise injection is not available in this version; leave it out or use rates: [0.0]"


def refuse_unavailable(experiment: Experiment) -> None:
    """Raise SpecError for what this version has no code for."""
    if experiment.noise is not None and any(rate != 0 for rate in experiment.noise.rates):
        raise SpecError([NO_NOISE])
