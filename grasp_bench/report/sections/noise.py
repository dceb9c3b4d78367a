"""Noise on a board: what methods keep at each rate, and whose drop is larger."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from grasp_bench.report.charts.curves import CurvePoint, curves
from grasp_bench.report.charts.row_charts import Whisker, whiskers
from grasp_bench.report.document import BLANK, Column, Figure, Head, Section, Table
from grasp_bench.report.formatting import (
    not_told_apart,
    p_value,
    percent_with_interval,
    points,
    points_with_interval,
)
from grasp_bench.report.page.blocks import PageSection
from grasp_bench.report.schema import ALL_PAIRS_OF, Degradation, Interval, NoiseCurve, NoisePoint, Ranking

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData

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
    heads: list[Head] = ["method", Column("trainings", spare=True), *(f"{rate:g}" for rate in found["rates"])]
    heads += ["area", "kept", Column("below its backbone", "left")]
    rows = [_curve_row(curve, found["rates"]) for curve in found["curves"]]
    title = f"{found['metric']}, {found['protocol']} ranking, by share of entities hit ({found['kind']})"
    return Table.of_texts(title, heads, rows, CURVE_NOTES)


def _curve_row(curve: NoiseCurve, rates: list[float]) -> list[str]:
    by_rate = {point["rate"]: point for point in curve["points"]}
    return [
        _label(curve),
        " / ".join(map(str, dict.fromkeys(curve["trainings"]))),
        *(_figure(by_rate.get(rate)) for rate in rates),
        _figure(curve["area"]),
        BLANK if curve["constant"] else _figure(curve["retained"]),
        curve["below_words"] or BLANK,
    ]


def _label(curve: NoiseCurve) -> str:
    return f"{curve['label']} (not affected)" if curve["constant"] else curve["label"]


def _figure(interval: Interval | None) -> str:
    if interval is None:
        return BLANK
    return percent_with_interval(interval["mean"], interval["low"], interval["high"])


def drop_table(found: Degradation) -> Table | None:
    """Tests of drop against drop; None where there is nothing to compare."""
    if not found["drops"]:
        return None
    heads = ["drop of", "less that of", "rate", "first", "second", "difference [95 % CI]", "p", "p BH"]
    rows = [
        [
            drop["a"], drop["b"], f"{drop['rate']:g}", points(drop["drop_a"]), points(drop["drop_b"]),
            points_with_interval(drop), p_value(drop["p"]), p_value(drop["p_adjusted"]),
        ]
        for drop in found["drops"]
    ]  # fmt: skip
    notes = [DROP_NOTE]
    if len({drop["a"] for drop in found["drops"]}) >= ALL_PAIRS_OF:
        best = found["drops"][0]["b"]
        notes.append(
            f"Of more than {ALL_PAIRS_OF} methods, each stands against {best}, the best at the lowest rate."
        )
    return Table.of_texts(f"Drop against drop, {found['protocol']} ranking", heads, rows, notes, names=2)


DROP_AXIS = "difference of drops in points of percent"
DROP_LEGEND = "Right of the line: the first method loses more. A hollow dot: corrected p of 0.05 or more."


def noise_page_section(data: PageData) -> PageSection | None:
    """Curves and drops of every kind of noise and protocol; None where nothing was made noisy."""
    figures: list[Figure] = []
    for ranking in data.board["rankings"]:
        order = {name: place for place, name in enumerate(data.protocols(ranking))}
        found = sorted(ranking["noise"], key=lambda each: (each["kind"], order[each["protocol"]]))
        for each in found:
            suffix = data.suffix(ranking)
            drops = drop_table(each)
            figures += [_degradation(each, suffix), *([_drops(each, drops, suffix)] if drops else [])]
    return PageSection("noise", "Noise", figures) if figures else None


def _degradation(found: Degradation, suffix: str) -> Figure:
    points = [_point(_label(curve), point) for curve in found["curves"] for point in curve["points"]]
    name = f"{found['metric']} under noise ({found['kind']}), {found['protocol']} ranking{suffix}"
    axis = f"{found['metric']}, percent"
    make = partial(curves, points, x_title="share of entities hit", y_title=axis)
    return Figure.of_one(name, make, noise_table(found))


def _point(label: str, point: NoisePoint) -> CurvePoint:
    told = f"{label} at {point['rate']:g}: {_figure(point)}"
    low, high = (None if end is None else 100 * end for end in (point["low"], point["high"]))
    return CurvePoint(label, point["rate"], 100 * point["mean"], told, low, high)


def _drops(found: Degradation, table: Table, suffix: str) -> Figure:
    rows = [
        Whisker.of_difference(
            f"{drop['rate']:g}: {drop['a']} − {drop['b']}", drop,
            f"drop of {drop['a']} less that of {drop['b']} at {drop['rate']:g}: {points_with_interval(drop)}",
            hollow=not_told_apart(drop["p_adjusted"]),
        )
        for drop in found["drops"]
    ]  # fmt: skip
    name = f"Drop against drop under noise ({found['kind']}), {found['protocol']} ranking{suffix}"
    return Figure.of_one(name, lambda width: whiskers(rows, width, DROP_AXIS), table, [DROP_LEGEND])
