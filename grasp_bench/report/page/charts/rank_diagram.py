"""The critical-difference diagram: mean ranks as dots, and a bar over those that are not told apart.

After Fig. 1 of J. Demšar, JMLR 7 (2006), turned by a quarter: names stand down the side, where long ones and
those of many methods have room, and bars below them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from grasp_bench.report.page.charts.theme import (
    ACCENT,
    GRID,
    INK,
    STEP,
    Spec,
    axis_title,
    is_narrow,
    names_axis,
)


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
