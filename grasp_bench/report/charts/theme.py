"""How all charts look, and the grid of shaded squares. Series differ in colour, shape and dash."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

Spec = dict[str, Any]

INK, MUTED, RULE, GRID, PAPER, ACCENT = (
    f"var(--{name})" for name in ("ink", "muted", "rule", "grid", "paper", "accent")
)
COLOURS = [f"var(--s{number})" for number in range(1, 9)]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "stroke"]
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]

WIDE, NARROW = 900, 345  # pixels of the whole drawing
# Arial is what letters are measured in where charts are drawn, so room is right where it or its like is.
FONT = "Arial, Liberation Sans, sans-serif"
WIDEST = 7.2  # pixels of a letter of a label in the widest usual font
LEGEND_LIMIT = 200
ABOVE_TITLE = 28  # pixels between a legend and a chart whose axis has its title above it
STEP = 27  # pixels a row of a chart with names down its side

CONFIG: Spec = {
    "background": None,
    "font": FONT,
    "padding": 4,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "domainColor": RULE, "tickColor": RULE, "gridColor": GRID,
        "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8,
    },
    # Titles lie above their axis: upright ones are hard to read, and longer than short charts are high.
    "axisY": {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "end", "titleX": 0, "titleY": -9},
    "legend": {
        "labelColor": INK, "titleColor": MUTED, "labelFontSize": 12, "symbolSize": 80, "title": None,
        "orient": "top", "symbolStrokeWidth": 2, "columnPadding": 30,
    },
    "header": {"labelColor": INK, "labelFontSize": 13, "labelFontWeight": 600, "title": None},
    "text": {"fill": INK},
}  # fmt: skip


def is_narrow(width: int) -> bool:
    """True for the drawing that phones get."""
    return width < 500


def axis_title(text: str, width: int) -> str | list[str]:
    """A title below an axis, in lines that a phone has room for."""
    return textwrap.wrap(text, 34) if is_narrow(width) else text


def rule_at(value: float) -> Spec:
    """A layer with one dashed line at a value of x."""
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": MUTED, "strokeDash": [4, 3], "strokeWidth": 1.5},
        "encoding": {"x": {"datum": value, "type": "quantitative"}},
    }


def names_axis(width: int, names: Sequence[str]) -> Spec:
    """The axis of names down the side: long names end in an ellipsis, the table has them whole.

    Letters are measured where the chart is drawn and shown where another font may be wider, so room is kept
    for wide ones.
    """
    most = 105 if is_narrow(width) else 230
    needed = WIDEST * max(map(len, names), default=0) + 10
    return {
        "title": None, "domain": False, "ticks": False, "labelColor": INK, "labelPadding": 8,
        "labelLimit": most, "minExtent": min(needed, 1.25 * most),
    }  # fmt: skip


def legend(width: int, names: list[str], offset: int) -> Spec | None:
    """A legend in as many columns as fit, `offset` pixels above the chart; none for a single series."""
    if len(names) < 2:
        return None
    longest = min(max(map(len, names)) * WIDEST, LEGEND_LIMIT)
    columns = max(1, int((width - 40) / (longest + 46)))
    return {
        "columns": min(columns, len(names)),
        "labelLimit": LEGEND_LIMIT,
        "offset": offset,
        "symbolDash": [1, 0],
    }


def series_encoding(width: int, names: list[str], *, dashed: bool = False, offset: int = 10) -> Spec:
    """Colour and shape (or dash) of series in the order of `names`, one legend for both."""
    scale: Spec = {"domain": names}
    shown = legend(width, names, offset)
    if shown and not dashed:
        shown["symbolStrokeWidth"] = 0  # filled shapes: an outline would be dashed as their lines are
    field = {"field": "series", "type": "nominal", "legend": shown}
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(names))]
    other = "strokeDash" if dashed else "shape"
    ways: list[Any] = DASHES if dashed else SHAPES
    return {
        "color": {**field, "scale": {**scale, "range": colours}},
        other: {**field, "scale": {**scale, "range": [ways[i % len(ways)] for i in range(len(names))]}},
    }


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
