"""How many cells a spec asks for, counted before any of them is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from grasp_bench.spec.experiment import Experiment
from grasp_bench.spec.problems import dotted

MAX_CELLS = 10_000


@dataclass(frozen=True)
class Excess:
    """More cells than a spec may ask for, and the path of what multiplies them most."""

    path: tuple[str, ...]
    message: str


def too_many(experiment: Experiment) -> Excess | None:
    """What is too much about compared values × (base + ablations) × rates × seeds, and imported runs."""
    factors: dict[tuple[str, ...], int] = {
        ("compare", key): len(values) for key, values in experiment.compare.items()
    }
    factors |= {("ablations",): 1 + len(experiment.ablations), ("seeds",): len(experiment.all_seeds)}
    if experiment.noise is not None:
        factors["noise", "rates"] = len(experiment.noise.rates)
    runs: dict[tuple[str, ...], int] = {("imported",): len(experiment.imported)}
    asked = math.prod(factors.values()) + len(experiment.imported)
    if asked <= MAX_CELLS:
        return None
    counts = factors | runs
    told = ", ".join(f"{dotted(path)} {count:,}" for path, count in counts.items() if count > 1)
    return Excess(
        max(counts, key=lambda path: counts[path]),
        f"{asked:,} cells are asked for ({told}), and a spec may ask for {MAX_CELLS:,}; vary less, or write "
        "several specs",
    )
