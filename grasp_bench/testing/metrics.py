"""The contract of metrics."""

from __future__ import annotations

import numpy as np

from grasp_bench.components import METRICS
from grasp_bench.core.ranks import per_user
from grasp_bench.spec.metrics import gains_of, name_of
from grasp_bench.spec.plugins import use_latest_plugin

CUTOFFS = (1, 3, 10, 100)
CANDIDATES = 101


def check_metric(name: str) -> None:
    """Check a metric, by its name or "module:Class".

    Its gains lie in [0, 1] and never rise with the rank, so that a better rank is never worth less; a
    constant scorer gets what chance gets.

    Example:
        >>> check_metric("my_metrics:RBP")
    """
    use_latest_plugin(METRICS, name)
    gains = gains_of([name], CUTOFFS)
    again = gains_of([name], CUTOFFS)
    assert gains == again, f"metric '{name}': a second call has other gains"
    nobody, all_others = np.array([0]), np.array([CANDIDATES - 1])
    for k in CUTOFFS:
        said = f"metric '{name}' at {k}"
        found = per_user(f"{name_of(name)}@{k}", nobody, all_others, "mean", gains)[0]
        chance = sum(gains[name_of(name)][str(k)]) / CANDIDATES
        assert abs(found - chance) < 1e-9, f"{said}: a constant scorer gets {found}, chance {chance}"
