"""Click prediction with and without what cells have learned."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Column, Entry, Table
from grasp_bench.report.findings.probe import Probe, Probes
from grasp_bench.report.numbers import count
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.whiskers import Dot, dots
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, PageSection, Prose
from grasp_bench.report.probe_gains import gains_table

MEASURES = {"auc": ("AUC", "higher is better"), "log_loss": ("log-loss", "lower is better")}


def probe_section(material: PageMaterial) -> PageSection | None:
    """AUC and log-loss of every probe; None where nothing was probed."""
    found = material.studies.probe
    if found is None or not found["probes"]:
        return None
    facts = (
        f"Learned on {count(found['train_pairs'])} pairs, tested on {count(found['test_pairs'])} held-out "
        f"pairs of {found['dataset']}, half of them clicked. Base features: {', '.join(found['base'])}."
    )
    figures = [_figure(found, key) for key in MEASURES]
    return PageSection("probe", "Probe", [Prose([facts, *found["notes"]]), *figures, gains_table(found)])


def _figure(found: Probes, key: str) -> Figure:
    measure, direction = MEASURES[key]
    rows = [
        Dot(_row(probe), probe["probe"], value, f"{_row(probe)}: {told}", low, high)
        for probe in found["probes"]
        for value, low, high, told in [_numbers(probe, key)]
    ]
    name = f"{measure} of click prediction ({direction})"
    picture = draw(name, lambda width: dots(rows, width, measure))
    return Figure(name, [picture], _table(found, name))


def _row(probe: Probe) -> str:
    return f"{_named(probe)}, {probe['probe']}"


def _named(probe: Probe) -> str:
    """The base features alone, or the cell whose states stand beside them."""
    return probe["features"] if probe["features"] == "base" else f"{probe['label']}, seed {probe['seed']}"


def _numbers(probe: Probe, key: str) -> tuple[float, float, float, str]:
    value, low, high = (float(probe[f"{key}{end}"]) for end in ("", "_low", "_high"))  # type: ignore[literal-required]
    return value, low, high, f"{value:.4f} [{low:.4f}, {high:.4f}]"


def _gain(probe: Probe, key: str) -> str:
    """What the states add; blank for the base."""
    gain = probe[f"{key}_gain"]  # type: ignore[literal-required]
    if gain is None:
        return BLANK
    low, high = probe[f"{key}_gain_low"], probe[f"{key}_gain_high"]  # type: ignore[literal-required]
    return f"{gain:+.4f} [{low:+.4f}, {high:+.4f}]"


def _table(found: Probes, title: str) -> Table:
    columns = [
        Column("features", "left"), Column("probe", "left"), Column("AUC [95 % CI]"),
        Column("gain over base"), Column("log-loss [95 % CI]"), Column("gain over base"),
    ]  # fmt: skip
    rows = [
        [Entry(_named(probe)), Entry(probe["probe"]), *(
            entry for key in MEASURES for entry in (Entry(_numbers(probe, key)[3]), Entry(_gain(probe, key)))
        )]
        for probe in found["probes"]
    ]  # fmt: skip
    return Table(title, columns, rows)
