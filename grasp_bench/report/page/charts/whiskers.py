"""Dots with whiskers, a row each: differences to a base, figures beside published ones, times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from grasp_bench.report.page.charts.theme import (
    ACCENT,
    GRID,
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
