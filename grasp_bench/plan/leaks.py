"""What a cell reads that was made from held-out items, by its spec's own word."""

from __future__ import annotations

from grasp_bench.spec.encoder import PrecomputedEncoder
from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.model import NEEDS_EMBEDDINGS


def marked_leaks(experiment: Experiment) -> list[str]:
    """Sources that say `leaks: mark` and that the enhancer reads, such as `text.users (scope: all)`."""
    if experiment.model.enhancer not in NEEDS_EMBEDDINGS:
        return []
    encoder = experiment.encoder
    sources = (
        {"encoder": encoder}
        if isinstance(encoder, PrecomputedEncoder)
        else {"text.users": experiment.text.users}
    )
    return [f"{name} (scope: {source.scope})" for name, source in sources.items() if source.leaks == "mark"]
