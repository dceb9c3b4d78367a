"""What old profiles cost, and the tokens that they save."""

from __future__ import annotations

from collections.abc import Callable

from grasp_bench.report.document import BLANK, Column, Entry, Table
from grasp_bench.report.findings.freshness import Age, Freshness
from grasp_bench.report.numbers import count, p_value, percent, percent_with_interval, points_with_interval
from grasp_bench.report.page.charts.curves import CurvePoint, curves
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, PageSection, Prose


def freshness_section(material: PageMaterial) -> PageSection | None:
    """The metric against age and against tokens saved, a figure each for every metric and ranking."""
    found = material.studies.freshness
    if found is None or not found["curves"]:
        return None
    kinds = dict.fromkeys((curve["metric"], curve["protocol"]) for curve in found["curves"])
    figures = [figure for metric, protocol in kinds for figure in _figures(found, metric, protocol)]
    notes = [Prose(found["notes"])] if found["notes"] else []
    return PageSection("freshness", "Freshness", [*notes, *figures])


def _figures(found: Freshness, metric: str, protocol: str) -> list[Figure]:
    table = _table(found, metric, protocol)
    ways: list[tuple[str, str, Callable[[Age], float]]] = [
        ("age of profiles", "interactions since the profile was made", lambda age: age["stale"]),
        ("tokens saved", "share of tokens saved, percent", lambda age: round(100 * age["saved"], 2)),
    ]
    figures = []
    for what, axis, x_of in ways:
        points = _points(found, metric, protocol, x_of)
        name = f"{metric} against {what}, {protocol} ranking"
        if len({point.x for point in points}) > 1:
            picture = draw(name, lambda width, p=points, a=axis: curves(p, width, a, f"{metric}, percent"))  # type: ignore[misc]
            figures.append(Figure(name, [picture], table))
    return figures


def _points(found: Freshness, metric: str, protocol: str, x_of: Callable[[Age], float]) -> list[CurvePoint]:
    return [
        CurvePoint(
            series=curve["label"],
            x=x_of(age),
            y=100 * age["mean"],
            tip=f"{curve['label']}, {age['stale']} old: "
            f"{percent_with_interval(age['mean'], age['low'], age['high'])}, {percent(age['saved'])} % saved",
            low=None if age["low"] is None else 100 * age["low"],
            high=None if age["high"] is None else 100 * age["high"],
        )
        for curve in found["curves"]
        if (curve["metric"], curve["protocol"]) == (metric, protocol)
        for age in curve["ages"]
    ]


def _table(found: Freshness, metric: str, protocol: str) -> Table:
    columns = [
        Column("method", "left"), Column("trainings"), Column("interactions old"),
        Column(f"{metric} [95 % CI]"), Column("less fresh [95 % CI]"), Column("p BH"),
        Column("tokens"), Column("saved"),
    ]  # fmt: skip
    rows = [
        [Entry(curve["label"]), Entry(str(age["trainings"])), Entry(str(age["stale"])),
         Entry(percent_with_interval(age["mean"], age["low"], age["high"])), *_tested(age),
         Entry(count(age["tokens"])), Entry(f"{percent(age['saved'])} %")]
        for curve in found["curves"]
        if (curve["metric"], curve["protocol"]) == (metric, protocol)
        for age in curve["ages"]
    ]  # fmt: skip
    return Table(f"{metric} by age of profiles, {protocol} ranking", columns, rows)


def _tested(age: Age) -> list[Entry]:
    test = age["test"]
    if test is None:
        return [Entry(BLANK), Entry(BLANK)]
    return [Entry(points_with_interval(test)), Entry(p_value(age["p_adjusted"]))]
