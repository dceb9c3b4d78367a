"""What a method's states add to a probe, over all trainings that were probed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from grasp_bench.report.document import Column, Entry, Table
from grasp_bench.report.findings.probe import Probe, Probes
from grasp_bench.report.numbers import p_value
from grasp_bench.stats.correction import benjamini_hochberg, of_known
from grasp_bench.stats.crossed import Contrast
from grasp_bench.stats.intervals import over_trainings

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
    adjusted = of_known(benjamini_hochberg, [gain.p for gain in gains.values()])
    return [
        MethodGain(label, probe, len(rows[label, probe]), gain, p)
        for ((label, probe), gain), p in zip(gains.items(), adjusted, strict=True)
    ]


def gains_table(found: Probes) -> Table:
    """The gains of methods, for the terminal and the page."""
    columns = [Column("method", "left"), Column("probe", "left"), Column("trainings")]
    columns += [Column("gain in AUC [95 % CI]"), Column("p BH")]
    rows = []
    for each in gains_of_methods(found):
        low, high = each.gain.interval()
        told = f"{each.gain.difference:+.4f} [{low:+.4f}, {high:+.4f}]"
        texts = (each.label, each.probe, str(each.trainings), told, p_value(each.p_adjusted))
        rows.append([Entry(text) for text in texts])
    return Table("Gain in AUC over trainings", columns, rows, [NOTE])


def _gain(rows: list[Probe]) -> Contrast:
    values = [row["auc_gain"] or 0.0 for row in rows]
    widths = [(row["auc_gain_high"] or 0.0) - (row["auc_gain_low"] or 0.0) for row in rows]
    return over_trainings(values, [width / (2 * NORMAL_95) for width in widths])
