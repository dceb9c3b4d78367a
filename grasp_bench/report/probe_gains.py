"""What a method's states add to a probe, over all trainings that were probed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from grasp_bench.report.findings.probe import Probe, Probes
from grasp_bench.stats.correction import benjamini_hochberg
from grasp_bench.stats.crossed import Contrast
from grasp_bench.stats.figure import over_trainings

NORMAL_95 = 1.96  # half the width of a 95 % interval in standard errors
NOTE = (
    "Over trainings: the mean gain in AUC of a method, its interval for other users and trainings, and p "
    "of no gain, Benjamini–Hochberg over this table. A cell's own interval is over users alone: this "
    "training."
)


@dataclass(frozen=True)
class MethodGain:
    """The gain in AUC of one method by one probe; without p where it was probed in one training."""

    label: str
    probe: str
    trainings: int
    gain: Contrast
    p_adjusted: float | None


def gains_of_methods(found: Probes) -> list[MethodGain]:
    """One a method and probe, in the order of the cells; the base has no gain."""
    rows: dict[tuple[str, str], list[Probe]] = defaultdict(list)
    for row in found["probes"]:
        if row["auc_gain"] is not None:
            rows[row["label"], row["probe"]].append(row)
    gains = {key: _gain(mine) for key, mine in rows.items()}
    adjusted = iter(benjamini_hochberg([gain.p for gain in gains.values() if gain.p is not None]))
    return [
        MethodGain(label, probe, len(rows[label, probe]), gain, None if gain.p is None else next(adjusted))
        for (label, probe), gain in gains.items()
    ]


def _gain(rows: list[Probe]) -> Contrast:
    values = [row["auc_gain"] or 0.0 for row in rows]
    widths = [(row["auc_gain_high"] or 0.0) - (row["auc_gain_low"] or 0.0) for row in rows]
    return over_trainings(values, [width / (2 * NORMAL_95) for width in widths])
