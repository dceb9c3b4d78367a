"""Noise on a board: what methods keep at each rate, and whose drop is larger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grasp_bench.report.charts.curves import CurvePoint, curves
from grasp_bench.report.charts.row_charts import Whisker, whiskers
from grasp_bench.report.document import BLANK, Chart, Column, Entry, Figure, Section, Table
from grasp_bench.report.formatting import (
    not_told_apart,
    p_value,
    percent_with_interval,
    points,
    points_with_interval,
)
from grasp_bench.report.page.blocks import PageSection
from grasp_bench.report.schema import ALL_PAIRS_OF, Degradation, Interval, NoiseCurve, Ranking

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.material import PageMaterial

CURVE_NOTES = (
    "95 % intervals for other users and trainings. Area: mean over the range of rates, by trapezoids; kept: "
    "area over the value at the lowest rate.",
    "Below its backbone: from which rate on the mean is, by straight lines between rates. It has no "
    "interval of its own: those of the rates beside it say how sure it is.",
)
DROP_NOTE = (
    "Drop: what is lost from the lowest rate to this one. The difference is the first's drop less the "
    "second's: above 0 the first loses more. CI and p: users and trainings crossed, two-sided; "
    "Benjamini–Hochberg over this table."
)


def noise_section(ranking: Ranking, first: str, suffix: str) -> Section | None:
    """All kinds and protocols of a ranking, the asked-for protocol first; None without noise."""
    found = sorted(ranking["noise"], key=lambda each: (each["kind"], each["protocol"] != first))
    tables = [table for each in found for table in (noise_table(each), drop_table(each)) if table is not None]
    return Section(f"Under noise{suffix}", tables, kind="noise") if tables else None


def noise_table(found: Degradation) -> Table:
    """The metric of every method at every rate, its area, and where it falls below its backbone."""
    columns = [Column("method", "left"), Column("trainings", spare=True)]
    columns += [Column(f"{rate:g}") for rate in found["rates"]]
    columns += [Column("area"), Column("kept"), Column("below its backbone", "left")]
    rows = [_curve_row(curve, found["rates"]) for curve in found["curves"]]
    title = f"{found['metric']}, {found['protocol']} ranking, by share of entities hit ({found['kind']})"
    return Table(title, columns, rows, CURVE_NOTES)


def _curve_row(curve: NoiseCurve, rates: list[float]) -> list[Entry]:
    by_rate = {point["rate"]: point for point in curve["points"]}
    label = f"{curve['label']} (not affected)" if curve["constant"] else curve["label"]
    return [
        Entry(label),
        Entry(" / ".join(map(str, dict.fromkeys(curve["trainings"])))),
        *(Entry(_figure(by_rate.get(rate))) for rate in rates),
        Entry(_figure(curve["area"])),
        Entry(BLANK if curve["constant"] else _figure(curve["retained"])),
        Entry(curve["below_words"] or BLANK),
    ]


def _figure(interval: Interval | None) -> str:
    if interval is None:
        return BLANK
    return percent_with_interval(interval["mean"], interval["low"], interval["high"])


def drop_table(found: Degradation) -> Table | None:
    """Tests of drop against drop; None where there is nothing to compare."""
    if not found["drops"]:
        return None
    columns = [
        Column("drop of", "left"), Column("less that of", "left"), Column("rate"), Column("first"),
        Column("second"), Column("difference [95 % CI]"), Column("p"), Column("p BH"),
    ]  # fmt: skip
    rows = [
        [
            Entry(drop["a"]), Entry(drop["b"]), Entry(f"{drop['rate']:g}"), Entry(points(drop["drop_a"])),
            Entry(points(drop["drop_b"])), Entry(points_with_interval(drop)),
            Entry(p_value(drop["p"])), Entry(p_value(drop["p_adjusted"])),
        ]
        for drop in found["drops"]
    ]  # fmt: skip
    notes = [DROP_NOTE]
    if len({drop["a"] for drop in found["drops"]}) >= ALL_PAIRS_OF:
        best = found["drops"][0]["b"]
        notes.append(
            f"Of more than {ALL_PAIRS_OF} methods, each stands against {best}, the best at the lowest rate."
        )
    return Table(f"Drop against drop, {found['protocol']} ranking", columns, rows, notes)


DROP_AXIS = "difference of drops in points of percent"
DROP_LEGEND = "Right of the line: the first method loses more. A hollow dot: corrected p of 0.05 or more."


def noise_page_section(material: PageMaterial) -> PageSection | None:
    """Curves and drops of every kind of noise and protocol; None where nothing was made noisy."""
    figures: list[Figure] = []
    for ranking in material.board["rankings"]:
        order = {name: place for place, name in enumerate(material.protocols(ranking))}
        found = sorted(ranking["noise"], key=lambda each: (each["kind"], order[each["protocol"]]))
        for each in found:
            suffix = material.suffix(ranking)
            drops = drop_table(each)
            figures += [_degradation(each, suffix), *([_drops(each, drops, suffix)] if drops else [])]
    return PageSection("noise", "Noise", figures) if figures else None


def _degradation(found: Degradation, suffix: str) -> Figure:
    points = [_point(curve, index) for curve in found["curves"] for index in range(len(curve["points"]))]
    name = f"{found['metric']} under noise ({found['kind']}), {found['protocol']} ranking{suffix}"
    axis = f"{found['metric']}, percent"
    chart = Chart(name, lambda width: curves(points, width, "share of entities hit", axis))
    return Figure(name, [chart], noise_table(found))


def _point(curve: NoiseCurve, index: int) -> CurvePoint:
    point = curve["points"][index]
    label = f"{curve['label']} (not affected)" if curve["constant"] else curve["label"]
    told = percent_with_interval(point["mean"], point["low"], point["high"])
    low, high = (None if end is None else 100 * end for end in (point["low"], point["high"]))
    return CurvePoint(
        label, point["rate"], 100 * point["mean"], f"{label} at {point['rate']:g}: {told}", low, high
    )


def _drops(found: Degradation, table: Table, suffix: str) -> Figure:
    rows = [
        Whisker(
            label=f"{drop['rate']:g}: {drop['a']} − {drop['b']}",
            value=100 * drop["difference"],
            low=100 * drop["low"],
            high=100 * drop["high"],
            tip=f"drop of {drop['a']} less that of {drop['b']} at {drop['rate']:g}: "
            f"{points_with_interval(drop)}",
            hollow=not_told_apart(drop["p_adjusted"]),
        )
        for drop in found["drops"]
    ]
    name = f"Drop against drop under noise ({found['kind']}), {found['protocol']} ranking{suffix}"
    chart = Chart(name, lambda width: whiskers(rows, width, DROP_AXIS))
    return Figure(name, [chart], table, [DROP_LEGEND])
