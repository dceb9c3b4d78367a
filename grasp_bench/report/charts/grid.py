"""A grid of shaded squares with their numbers in them: settings against a metric, weights of a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from grasp_bench.report.charts.theme import ACCENT, INK, Spec, is_narrow

# Shade by opacity: the page's own paper and ink stay behind and before it, in light and in dark, and
# text on the fullest shade keeps its contrast.
FAINTEST, FULLEST = 0.04, 0.42


@dataclass(frozen=True)
class Square:
    """One square; `text` is the number as the table has it."""

    x: str
    y: str
    value: float
    text: str
    tip: str


@dataclass(frozen=True)
class Axes:
    """Titles of both axes, and names in the order in which they stand."""

    x_title: str | None
    y_title: str | None
    xs: Sequence[str]
    ys: Sequence[str]


def grid(squares: Sequence[Square], width: int, axes: Axes) -> Spec:
    """Squares shaded from the lowest value to the highest."""
    wide_names = not is_narrow(width)
    x = {
        "field": "x", "type": "ordinal", "sort": list(axes.xs), "title": axes.x_title,
        "axis": {"labelAngle": 0, "domain": False, "ticks": False, "labelLimit": 90},
    }  # fmt: skip
    y = {
        "field": "y", "type": "ordinal", "sort": list(axes.ys), "title": axes.y_title,
        "axis": {
            "domain": False, "ticks": False, "labelLimit": 320 if wide_names else 130, "labelColor": INK,
        },
    }  # fmt: skip
    shade = {
        "field": "value", "type": "quantitative", "legend": None,
        "scale": {"range": [FAINTEST, FULLEST], "zero": False, "nice": False},
    }  # fmt: skip
    return {
        "data": {"values": [asdict(square) for square in squares]},
        "encoding": {"x": x, "y": y},
        "layer": [
            {
                "mark": {"type": "rect", "color": ACCENT, "stroke": "var(--paper)"},
                "encoding": {"fillOpacity": shade, "description": {"field": "tip"}},
            },
            {
                "mark": {"type": "text", "color": INK, "fontSize": 12, "aria": False},
                "encoding": {"text": {"field": "text", "type": "nominal"}},
            },
        ],
        "width": width, "height": {"step": 30},
        "autosize": {"type": "fit-x", "contains": "padding"},
    }  # fmt: skip
