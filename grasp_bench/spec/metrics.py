"""Metrics that a spec names: which are known, and the gains of those of other packages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from grasp_bench.components import METRICS
from grasp_bench.core.errors import PluginError
from grasp_bench.core.plugins import is_path
from grasp_bench.core.words import did_you_mean

NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
OURS = tuple(METRICS)


def name_of(metric: str) -> str:
    """Return a metric's name on the board: that of its class, or the installed one."""
    return metric.rpartition(":")[2] if is_path(metric) else metric


def check_further(metrics: Sequence[str]) -> None:
    """Raise ValueError for a metric that is unknown or whose name is taken."""
    taken = list(OURS)
    for place, metric in enumerate(metrics):
        if metric not in METRICS:
            near = did_you_mean(metric, METRICS.offered())
            raise ValueError(f"metrics[{place}]: unknown metric '{metric}'{near}; write \"module:Class\"")
        name = name_of(metric)
        if name in taken:
            raise ValueError(f"metrics[{place}]: there is a metric '{name}' already; rename its class")
        if not NAME.fullmatch(name):
            raise ValueError(f"metrics[{place}]: '{name}' must be letters and digits, as in {name}@10")
        taken.append(name)


def unknown_metric(metric: str, further: Sequence[str]) -> str | None:
    """Return what is wrong with a name such as "NDCG@10"; None for a metric that is measured."""
    known = (*OURS, *map(name_of, further))
    stem = metric.partition("@")[0]
    return None if stem in known else f"unknown metric '{stem}'{did_you_mean(stem, known)}"


def gains_of(metrics: Sequence[str], cutoffs: Sequence[int]) -> dict[str, dict[str, list[float]]]:
    """Return the gains of the ranks 1 to k, by name and cutoff k.

    PluginError for a metric that fails, or whose gains are not k falling numbers in [0, 1].
    """
    return {name_of(metric): {str(k): _gains(metric, k) for k in cutoffs} for metric in metrics}


def _gains(metric: str, k: int) -> list[float]:
    with METRICS.blamed(metric):
        found: Any = METRICS.implementation(metric).gains(k)
        gains = [float(gain) for gain in found]
    wrong = (
        f"{len(gains)} gains" if len(gains) != k
        else "a gain outside [0, 1]" if not all(0 <= gain <= 1 for gain in gains)
        else "a gain that rises with the rank" if gains != sorted(gains, reverse=True)
        else None
    )  # fmt: skip
    if wrong is not None:
        raise PluginError(
            f"metric '{metric}': gains({k}) has {wrong}",
            hint=f"return {k} numbers in [0, 1], one for each rank, that never rise",
        )
    return gains
