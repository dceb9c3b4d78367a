"""What a spec may say but this version cannot run yet: refused before anything is computed."""

from __future__ import annotations

from grasp_bench.core.errors import SpecError
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.model import NEEDS_EMBEDDINGS
from grasp_bench.spec.text import LiteLLMText

NO_NOISE = "noise.rates: noise injection is not available in this version; leave it out or use rates: [0.0]"
NO_LITELLM = "'litellm' is not available in this version; use 'template' or 'precomputed'"


def refuse_unavailable(experiment: Experiment) -> None:
    """Raise SpecError with every request of a cell that this version has no code for."""
    problems = []
    if experiment.noise is not None and any(rate != 0 for rate in experiment.noise.rates):
        problems.append(NO_NOISE)
    if experiment.model.enhancer in NEEDS_EMBEDDINGS and experiment.encoder.kind != "precomputed":
        sides = {"users": experiment.text.users, "items": experiment.text.items}
        problems += [
            f"text.{side}.provider: {NO_LITELLM}"
            for side, source in sides.items()
            if isinstance(source, LiteLLMText)
        ]
    if problems:
        raise SpecError(problems)
