"""Bars from zero: how much of a whole, how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from grasp_bench.report.page.charts.theme import ACCENT, STEP, Spec, axis_title, names_axis


@dataclass(frozen=True)
class Bar:
    """One bar."""

    label: str
    value: float
    tip: str


def bars(rows: Sequence[Bar], width: int, title: str) -> Spec:
    """Bars in the given order, names down the side."""
    labels = list(dict.fromkeys(row.label for row in rows))
    return {
        "data": {"values": [asdict(row) for row in rows]},
        "mark": {"type": "bar", "color": ACCENT, "height": {"band": 0.66}},
        "encoding": {
            "y": {"field": "label", "type": "nominal", "sort": labels, "axis": names_axis(width, labels)},
            "x": {
                "field": "value",
                "type": "quantitative",
                "title": axis_title(title, width),
                "axis": {"tickCount": 5},
            },
            "description": {"field": "tip"},
        },
        "width": width,
        "height": {"step": STEP},
        "autosize": {"type": "fit-x", "contains": "padding"},
    }
