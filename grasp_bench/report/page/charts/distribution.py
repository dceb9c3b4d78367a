"""Distributions as stepped outlines, one panel a part, groups laid over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from grasp_bench.report.page.charts.theme import ABOVE_TITLE, Spec, is_narrow, series_encoding


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
