"""Spreads: a line from 5th to 95th percentile, a thick one for the middle half, a dot at the median."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from grasp_bench.report.page.charts.theme import (
    GRID,
    Spec,
    axis_title,
    is_narrow,
    names_axis,
    rule_at,
    series_encoding,
)

BAND = 11  # pixels of one series of a row


@dataclass(frozen=True)
class Spread:
    """The spread of one series on one row."""

    label: str
    series: str
    low: float
    q1: float
    median: float
    q3: float
    high: float
    tip: str


def spreads(rows: Sequence[Spread], width: int, title: str, *, reference: float | None = None) -> Spec:
    """Rows in the given order; the series of a row lie below each other."""
    labels = list(dict.fromkeys(row.label for row in rows))
    series = list(dict.fromkeys(row.series for row in rows))
    told = series_encoding(width, series)
    shared = {
        "y": {"field": "label", "type": "nominal", "sort": labels, "axis": names_axis(width, labels)},
        "yOffset": {"field": "series", "type": "nominal", "sort": series},
        "description": {"field": "tip"},
    }
    x: Spec = {
        "type": "quantitative", "title": axis_title(title, width), "scale": {"zero": False, "nice": True},
        "axis": {"grid": True, "tickCount": 4 if is_narrow(width) else 8},
    }  # fmt: skip
    lines = [(("low", "high"), 1.5), (("q1", "q3"), 5)]
    layers: list[Spec] = [] if reference is None else [rule_at(reference)]
    layers += [
        {
            "mark": {"type": "rule", "strokeWidth": thickness},
            "encoding": {
                **shared, "x": {"field": ends[0], **x}, "x2": {"field": ends[1]}, "color": told["color"],
            },
        }
        for ends, thickness in lines
    ]  # fmt: skip
    dot = {
        "type": "point",
        "filled": True,
        "size": 75,
        "opacity": 1,
        "stroke": "var(--paper)",
        "strokeWidth": 1,
    }
    layers.append({"mark": dot, "encoding": {**shared, "x": {"field": "median", **x}, **told}})
    return {
        "data": {"values": [asdict(row) for row in rows]}, "layer": layers, "width": width,
        "height": {"step": BAND, "for": "offset"},
        "autosize": {"type": "fit-x", "contains": "padding"}, "view": {"stroke": GRID},
    }  # fmt: skip
