"""Degradation under noise: a curve a method, and tests of drop against drop."""

from __future__ import annotations

from grasp_bench.report.document import Table
from grasp_bench.report.numbers import not_told_apart, percent_with_interval, points_with_interval
from grasp_bench.report.page.charts.curves import CurvePoint, curves
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.whiskers import Whisker, whiskers
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, PageSection
from grasp_bench.report.schema import Degradation, NoiseCurve
from grasp_bench.report.sections.noise import drop_table, noise_table

DROP_AXIS = "difference of drops in points of percent"
DROP_LEGEND = "Right of the line: the first method loses more. A hollow dot: corrected p of 0.05 or more."


def noise_section(material: PageMaterial) -> PageSection | None:
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
    picture = draw(name, lambda width: curves(points, width, "share of entities hit", axis))
    return Figure(name, [picture], noise_table(found))


def _point(curve: NoiseCurve, index: int) -> CurvePoint:
    point = curve["points"][index]
    label = f"{curve['label']} (notices none)" if curve["constant"] else curve["label"]
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
    picture = draw(name, lambda width: whiskers(rows, width, DROP_AXIS))
    return Figure(name, [picture], table, [DROP_LEGEND])
