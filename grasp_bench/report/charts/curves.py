"""Curves of a metric against a rate, a setting or an age, and distributions as stepped outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from grasp_bench.report.charts.theme import ABOVE_TITLE, ACCENT, Spec, is_narrow, series_encoding

GEOMETRIC_FROM = 8  # a span this wide, of numbers above zero, is read in doublings
APART = 0.008  # of the width: series stand so far beside each other that whiskers do not hide each other


@dataclass(frozen=True)
class CurvePoint:
    """One point of one series; `x` is a number, or a name where settings are names."""

    series: str
    x: Any
    y: float
    tip: str
    low: float | None = None
    high: float | None = None


def curves(points: Sequence[CurvePoint], width: int, x_title: str, y_title: str) -> Spec:
    """Lines through the points of each series, a whisker where there is an interval.

    Series with intervals are drawn a little beside each other; tips and tables have x as it is.
    """
    names = list(dict.fromkeys(point.series for point in points))
    several = len(names) > 1
    told = series_encoding(width, names, offset=ABOVE_TITLE)
    dashes = series_encoding(width, names, dashed=True)["strokeDash"]
    x = _x_axis([point.x for point in points], x_title)
    y: Spec = {"type": "quantitative", "title": y_title, "scale": {"zero": False, "nice": True}}
    points = _apart(points, names)
    shared = {"x": x, "color": told["color"] if several else {"value": ACCENT}}
    mean, tip = {"y": {"field": "y", **y}}, {"description": {"field": "tip"}}
    dashed = {"strokeDash": {**dashes, "legend": None}}
    line: Spec = {"type": "line", "strokeWidth": 2, "aria": False}
    layers: list[Spec] = [{"mark": line, "encoding": {**shared, **mean, **dashed}}]
    if any(point.low is not None for point in points):
        ends = {"y": {"field": "low", **y}, "y2": {"field": "high"}}
        whisker: Spec = {"mark": {"type": "rule", "strokeWidth": 1.5}, "encoding": {**shared, **ends, **tip}}
        layers.append({"transform": [{"filter": "datum.low !== null"}], **whisker})
    dot: Spec = {"type": "point", "filled": True, "size": 70, "opacity": 1}
    shape = {"shape": told["shape"]} if several else {}
    layers.append({"mark": dot, "encoding": {**shared, **mean, **tip, **shape}})
    return {
        "data": {"values": [asdict(point) for point in points]}, "layer": layers, "width": width,
        "height": 250 if is_narrow(width) else 300,
        "autosize": {"type": "fit-x", "contains": "padding"},
    }  # fmt: skip


def _apart(points: Sequence[CurvePoint], names: Sequence[str]) -> Sequence[CurvePoint]:
    xs = [point.x for point in points]
    if not all(map(_is_number, xs)) or not any(point.low is not None for point in points):
        return points
    steps = {name: APART * (index - (len(names) - 1) / 2) for index, name in enumerate(names)}
    low, high = min(xs), max(xs)
    if _is_geometric(xs):
        return [replace(point, x=point.x * (high / low) ** steps[point.series]) for point in points]
    return [replace(point, x=point.x + (high - low) * steps[point.series]) for point in points]


def _is_geometric(xs: Sequence[Any]) -> bool:
    return bool(min(xs) > 0 and max(xs) / min(xs) >= GEOMETRIC_FROM)


def _x_axis(values: Sequence[Any], title: str) -> Spec:
    """A scale of numbers, of doublings, or of names; ticks where the points are."""
    distinct = sorted(set(values)) if all(_is_number(value) for value in values) else None
    field: Spec = {"field": "x", "title": title}
    if distinct is None:
        order = list(dict.fromkeys(map(str, values)))
        return {**field, "type": "ordinal", "sort": order, "axis": {"labelAngle": 0}}
    axis = {"values": distinct, "grid": False, "labelOverlap": True}
    scale: Spec = {"zero": False, "nice": False, "padding": 14}
    if _is_geometric(distinct):
        scale |= {"type": "log", "base": 2}
    return {**field, "type": "quantitative", "axis": {**axis, "format": ",~f"}, "scale": scale}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class Bin:
    """The share of a group's values from `x` to the next bin's."""

    panel: str
    series: str
    x: float
    share: float


def distributions(bins: Sequence[Bin], width: int, x_title: str) -> Spec:
    """Outlines of the shares of each bin; panels side by side, on a phone below each other."""
    panels = list(dict.fromkeys(each.panel for each in bins))
    names = list(dict.fromkeys(each.series for each in bins))
    columns = 1 if is_narrow(width) else min(3, len(panels))
    told = series_encoding(width, names, dashed=True, offset=ABOVE_TITLE)
    inner = (width - 60) // columns - (58 if columns == 1 else 28)
    return {
        "data": {"values": [asdict(each) for each in bins]},
        "facet": {"field": "panel", "type": "nominal", "sort": panels, "title": None},
        "columns": columns,
        "spec": {
            "width": inner,
            "height": 150,
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2, "aria": False},
            "encoding": {
                "x": {
                    "field": "x", "type": "quantitative", "title": x_title,
                    "axis": {"grid": False, "tickCount": 5}, "scale": {"nice": False},
                },
                "y": {
                    "field": "share", "type": "quantitative", "title": "share of pairs",
                    "axis": {"format": "~%", "tickCount": 4},
                },
                **told,
            },
        },
    }  # fmt: skip
