"""Show click prediction with and without what cells have learned."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial

from grasp_bench.report.charts.row_charts import Dot, dots
from grasp_bench.report.document import BLANK, Chart, Document, Figure, Section, Table
from grasp_bench.report.formatting import count, p_value
from grasp_bench.report.studies import Study
from grasp_bench.stats.correction import benjamini_hochberg, of_known
from grasp_bench.stats.crossed import Contrast
from grasp_bench.stats.intervals import over_trainings
from grasp_bench.studies.probe.schema import Probe, Probes

MEASURES = {"auc": ("AUC", "higher is better"), "log_loss": ("log-loss", "lower is better")}
NORMAL_95 = 1.96  # half the width of a 95 % interval in standard errors
GAINS_NOTE = (
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


def lay_out_probes(found: Probes) -> Document:
    """Arrange AUC and log-loss of every probe, then the gains of methods."""
    facts = (
        f"Learned on {count(found['train_pairs'])} pairs, tested on {count(found['test_pairs'])} held-out "
        f"pairs of {found['dataset']}, half of them clicked. Base features: {', '.join(found['base'])}."
    )
    sections = [
        Section("With and without learned states", [_figure(found), _gains_table(found)]),
        Section("Notes", lines=found["notes"]),
    ]
    return Document(f"Downstream probe: {found['spec']}", [facts], sections if found["probes"] else [])


def gains_of_methods(found: Probes) -> list[MethodGain]:
    """One for each method and probe, in the order of the cells; the base has no gain."""
    rows: dict[tuple[str, str], list[Probe]] = defaultdict(list)
    for row in found["probes"]:
        if row["auc_gain"] is not None:
            rows[row["label"], row["probe"]].append(row)
    gains = {}
    for key, mine in rows.items():
        widths = [(row["auc_gain_high"] or 0.0) - (row["auc_gain_low"] or 0.0) for row in mine]
        errors = [width / (2 * NORMAL_95) for width in widths]
        gains[key] = over_trainings([row["auc_gain"] or 0.0 for row in mine], errors)
    adjusted = of_known(benjamini_hochberg, [gain.p for gain in gains.values()])
    return [
        MethodGain(label, probe, len(rows[label, probe]), gain, p)
        for ((label, probe), gain), p in zip(gains.items(), adjusted, strict=True)
    ]


def _gains_table(found: Probes) -> Table:
    rows = []
    for each in gains_of_methods(found):
        low, high = each.gain.interval()
        gain = f"{each.gain.difference:+.4f} [{low:+.4f}, {high:+.4f}]"
        rows.append([each.label, each.probe, str(each.trainings), gain, p_value(each.p_adjusted)])
    heads = ["method", "probe", "trainings", "gain in AUC [95 % CI]", "p BH"]
    return Table.of_texts("Gain in AUC over trainings", heads, rows, [GAINS_NOTE], names=2)


def _figure(found: Probes) -> Figure:
    title = "AUC and log-loss of click prediction"
    heads = ["features", "probe", "AUC [95 % CI]", "gain over base", "log-loss [95 % CI]", "gain over base"]
    rows = [
        [_named(probe), probe["probe"], *(text for key in MEASURES for text in _texts(probe, key))]
        for probe in found["probes"]
    ]
    charts = [_chart(found, key) for key in MEASURES]
    return Figure(title, charts, Table.of_texts(title, heads, rows, names=2))


def _chart(found: Probes, key: str) -> Chart:
    measure, direction = MEASURES[key]
    drawn = []
    for probe in found["probes"]:
        name, (value, low, high) = f"{_named(probe)}, {probe['probe']}", _interval(probe, key)
        drawn.append(Dot(name, probe["probe"], value, f"{name}: {_texts(probe, key)[0]}", low, high))
    return Chart(f"{measure} of click prediction ({direction})", partial(dots, drawn, title=measure))


def _named(probe: Probe) -> str:
    """The base features alone, or the cell whose states stand beside them."""
    return probe["features"] if probe["features"] == "base" else f"{probe['label']}, seed {probe['seed']}"


def _interval(probe: Probe, key: str) -> tuple[float, float, float]:
    value, low, high = (float(probe[f"{key}{end}"]) for end in ("", "_low", "_high"))  # type: ignore[literal-required]
    return value, low, high


def _texts(probe: Probe, key: str) -> tuple[str, str]:
    """The value and its interval; what the states add, blank for the base."""
    value, low, high = _interval(probe, key)
    gain = BLANK
    if probe[f"{key}_gain"] is not None:  # type: ignore[literal-required]
        gain = "{:+.4f} [{:+.4f}, {:+.4f}]".format(*_interval(probe, f"{key}_gain"))
    return f"{value:.4f} [{low:.4f}, {high:.4f}]", gain


STUDY = Study(title="Probe", command="grasp-bench probe", schema=Probes, document=lay_out_probes)
