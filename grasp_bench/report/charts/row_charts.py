"""Charts with one row per name: dots with whiskers, spreads, mean ranks, bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from grasp_bench.report.charts.theme import (
    ACCENT,
    GRID,
    INK,
    PAPER,
    STEP,
    Spec,
    axis_title,
    is_narrow,
    names_axis,
    rule_at,
    series_encoding,
)


@dataclass(frozen=True)
class Whisker:
    """One row; a hollow dot says by its shape what its interval does: it holds the reference."""

    label: str
    value: float
    low: float | None
    high: float | None
    tip: str
    hollow: bool = False


@dataclass(frozen=True)
class Dot:
    """One of several dots on a row, with an interval or without."""

    label: str
    series: str
    value: float
    tip: str
    low: float | None = None
    high: float | None = None
    size: int = 80


def whiskers(rows: Sequence[Whisker], width: int, title: str, *, reference: float | None = 0.0) -> Spec:
    """Values with their intervals, rows in the given order, against a line at `reference`."""
    filled = {"domain": [False, True], "range": [ACCENT, PAPER]}
    mark = {"type": "point", "size": 75, "strokeWidth": 2, "opacity": 1, "color": ACCENT}
    told = {"fill": {"field": "hollow", "type": "nominal", "legend": None, "scale": filled}}
    return _rows_chart(rows, width, title, mark, told, reference=reference)


def dots(
    rows: Sequence[Dot], width: int, title: str,
    *, series: Sequence[str] = (), zero: bool = False, reference: float | None = None,
) -> Spec:  # fmt: skip
    """Several series on each row, told apart by colour and shape; later dots lie above earlier ones.

    `series` gives the order of the legend, by default that of the rows.
    """
    present = dict.fromkeys(row.series for row in rows)
    told = series_encoding(width, [name for name in series or present if name in present])
    told["size"] = {"field": "size", "type": "quantitative", "scale": None, "legend": None}
    mark = {"type": "point", "filled": True, "opacity": 0.95}
    return _rows_chart(rows, width, title, mark, told, reference=reference, zero=zero)


def _rows_chart(
    rows: Sequence[Whisker | Dot], width: int, title: str, mark: Spec, told: Spec,
    *, reference: float | None, zero: bool = False,
) -> Spec:  # fmt: skip
    labels = list(dict.fromkeys(row.label for row in rows))
    shared = {
        "y": {"field": "label", "type": "nominal", "sort": labels, "axis": names_axis(width, labels)},
        "description": {"field": "tip"},
    }
    x: Spec = {
        "type": "quantitative", "title": axis_title(title, width), "scale": {"zero": zero, "nice": True},
        "axis": {"grid": True, "tickCount": 5 if is_narrow(width) else 8},
    }  # fmt: skip
    layers: list[Spec] = [] if reference is None else [rule_at(reference)]
    if any(row.low is not None for row in rows):
        line: Spec = {"type": "rule", "strokeWidth": 2}
        colour = {"color": told["color"]} if "color" in told else {}
        layers.append(
            {
                "transform": [{"filter": "datum.low !== null"}],
                "mark": line if colour else {**line, "color": ACCENT},
                "encoding": {**shared, "x": {"field": "low", **x}, "x2": {"field": "high"}, **colour},
            }
        )
    layers.append({"mark": mark, "encoding": {**shared, "x": {"field": "value", **x}, **told}})
    return {
        "data": {"values": [asdict(row) for row in rows]}, "layer": layers,
        "width": width, "height": {"step": STEP},
        "autosize": {"type": "fit-x", "contains": "padding"}, "view": {"stroke": GRID},
    }  # fmt: skip


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


@dataclass(frozen=True)
class RankDot:
    """The mean rank of one method."""

    label: str
    rank: float
    tip: str


@dataclass(frozen=True)
class RankBar:
    """A span of mean ranks with a name: a group of methods, or the critical difference itself."""

    label: str
    low: float
    high: float
    tip: str


def rank_diagram(dots: Sequence[RankDot], bars: Sequence[RankBar], width: int, title: str) -> Spec:
    """Dots in the given order, bars below them, on a scale from the first place to the last."""
    labels = [*(dot.label for dot in dots), *(bar.label for bar in bars)]
    y = {"field": "label", "type": "nominal", "sort": labels, "axis": names_axis(width, labels)}
    x: Spec = {
        "type": "quantitative", "title": axis_title(title, width),
        "scale": {"domain": [1, max(len(dots), *(bar.high for bar in bars))], "nice": False, "padding": 10},
        "axis": {"grid": True, "tickCount": 5 if is_narrow(width) else 8},
    }  # fmt: skip
    told = {"y": y, "description": {"field": "tip"}}
    return {
        "layer": [
            {
                "data": {"values": [asdict(dot) for dot in dots]},
                "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": ACCENT},
                "encoding": {**told, "x": {"field": "rank", **x}},
            },
            {
                "data": {"values": [asdict(bar) for bar in bars]},
                "mark": {"type": "bar", "height": 6, "color": INK},
                "encoding": {**told, "x": {"field": "low", **x}, "x2": {"field": "high"}},
            },
        ],
        "width": width, "height": {"step": STEP},
        "autosize": {"type": "fit-x", "contains": "padding"}, "view": {"stroke": GRID},
    }  # fmt: skip


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
