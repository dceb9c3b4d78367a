"""Charts with one row per name: dots with whiskers, spreads, mean ranks, bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

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
from grasp_bench.report.schema import DifferenceInterval


@dataclass(frozen=True)
class Whisker:
    """One row; a hollow dot says by its shape what its interval does: it holds the reference."""

    label: str
    value: float
    low: float | None
    high: float | None
    tip: str
    hollow: bool = False

    @classmethod
    def of_difference(cls, label: str, found: DifferenceInterval, tip: str, *, hollow: bool) -> Whisker:
        """A difference of fractions, drawn in points of percent."""
        value, low, high = (100 * found[key] for key in ("difference", "low", "high"))
        return cls(label, value, low, high, tip, hollow)


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
    shared = _row_encoding(rows, width)
    x = _value_axis(title, width, {"zero": zero, "nice": True})
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
    return {"data": _values(rows), "layer": layers, **_framed(width)}


def _values(rows: Sequence[Any]) -> Spec:
    return {"values": [asdict(row) for row in rows]}


def _row_encoding(rows: Sequence[Any], width: int) -> Spec:
    """Names down the side in the order of the rows, and the tip of each."""
    labels = list(dict.fromkeys(row.label for row in rows))
    return {
        "y": {"field": "label", "type": "nominal", "sort": labels, "axis": names_axis(width, labels)},
        "description": {"field": "tip"},
    }


def _value_axis(title: str, width: int, scale: Spec, *, narrow_ticks: int = 5) -> Spec:
    return {
        "type": "quantitative", "title": axis_title(title, width), "scale": scale,
        "axis": {"grid": True, "tickCount": narrow_ticks if is_narrow(width) else 8},
    }  # fmt: skip


def _framed(width: int) -> Spec:
    return {
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
    series = list(dict.fromkeys(row.series for row in rows))
    told = series_encoding(width, series)
    offset = {"field": "series", "type": "nominal", "sort": series}
    shared = {**_row_encoding(rows, width), "yOffset": offset}
    x = _value_axis(title, width, {"zero": False, "nice": True}, narrow_ticks=4)
    layers: list[Spec] = [] if reference is None else [rule_at(reference)]
    for low, high, thickness in (("low", "high", 1.5), ("q1", "q3", 5)):
        ends = {"x": {"field": low, **x}, "x2": {"field": high}}
        mark: Spec = {"type": "rule", "strokeWidth": thickness}
        layers.append({"mark": mark, "encoding": {**shared, **ends, "color": told["color"]}})
    dot: Spec = {"type": "point", "filled": True, "size": 75, "opacity": 1}
    dot |= {"stroke": "var(--paper)", "strokeWidth": 1}
    layers.append({"mark": dot, "encoding": {**shared, "x": {"field": "median", **x}, **told}})
    height = {"step": BAND, "for": "offset"}
    return {"data": _values(rows), "layer": layers, **_framed(width), "height": height}


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
    last = max(len(dots), *(bar.high for bar in bars))
    x = _value_axis(title, width, {"domain": [1, last], "nice": False, "padding": 10})
    shared = _row_encoding([*dots, *bars], width)
    layers = [
        {
            "data": _values(dots),
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": ACCENT},
            "encoding": {**shared, "x": {"field": "rank", **x}},
        },
        {
            "data": _values(bars),
            "mark": {"type": "bar", "height": 6, "color": INK},
            "encoding": {**shared, "x": {"field": "low", **x}, "x2": {"field": "high"}},
        },
    ]
    return {"layer": layers, **_framed(width)}


@dataclass(frozen=True)
class Bar:
    """One bar."""

    label: str
    value: float
    tip: str


def bars(rows: Sequence[Bar], width: int, title: str) -> Spec:
    """Bars in the given order, names down the side."""
    x = {"field": "value", "type": "quantitative", "title": axis_title(title, width)}
    return {
        "data": _values(rows),
        "mark": {"type": "bar", "color": ACCENT, "height": {"band": 0.66}},
        "encoding": {**_row_encoding(rows, width), "x": {**x, "axis": {"tickCount": 5}}},
        "width": width, "height": {"step": STEP},
        "autosize": {"type": "fit-x", "contains": "padding"},
    }  # fmt: skip
