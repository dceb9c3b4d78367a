"""Weights in detail: histograms, and the history of one user."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from grasp_bench.report.document import Column, Entry, Table
from grasp_bench.report.findings.attention import HeatMap, Weights
from grasp_bench.report.numbers import percent
from grasp_bench.report.page.charts.distribution import Bin, distributions
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.grid import Axes, Square, grid
from grasp_bench.report.page.parts import Figure

GROUPS = {
    "all": "all pairs", "training": "training items", "validation": "validation items",
    "unchosen": "unchosen items", "head_users": "head users", "tail_users": "tail users",
    "head_items": "head items", "tail_items": "tail items", "clean": "clean context",
    "corrupted": "corrupted context",
}  # fmt: skip
FEW_BINS = 6  # a histogram with fewer bins in use says less than quantiles do
MOST_ITEMS = 24  # of a long history, the latest
NARROW_RANGE = 0.1  # weights that differ by less are told by more decimals


def histogram(weights: Sequence[Weights], name: str) -> Figure | None:
    """Shares of pairs over [0, 1], a panel a part; None where all weights lie within a few bins."""
    used = {index for each in weights for index, number in enumerate(each["counts"]) if number}
    if len(used) < FEW_BINS:
        return None
    bins = []
    for each in weights:
        heights = _shares(each)
        # A stepped line ends where its last bin ends.
        for edge, share in zip(each["edges"], [*heights, heights[-1]], strict=True):
            bins.append(Bin(each["part"], _group(each), edge, share))
    title = f"Histogram of weights, {name}"
    picture = draw(title, lambda width: distributions(bins, width, "weight"))
    columns = [Column("from"), Column("to"), *(Column(f"{each['part']}, {_group(each)}") for each in weights)]
    shares = [_shares(each) for each in weights]
    rows = [
        [Entry(f"{low:g}"), Entry(f"{high:g}"), *(Entry(percent(each[index])) for each in shares)]
        for index, (low, high) in enumerate(itertools.pairwise(weights[0]["edges"]))
    ]
    return Figure(title, [picture], Table(title, columns, rows, ["Percent of the pairs of a column."]))


def heat_map(one: HeatMap) -> Figure:
    """The weights of one user's history, oldest item first."""
    numbered = [f"{index + 1}. {item}" for index, item in enumerate(one["items"])]
    first = max(0, len(numbered) - MOST_ITEMS)
    values = [weight for line in one["weights"] for weight in line]
    decimals = 4 if max(values) - min(values) < NARROW_RANGE else 2
    squares = [
        Square(
            part,
            numbered[index],
            weight,
            f"{weight:.{decimals}f}",
            f"{numbered[index]}, {part}: {weight:.4f}",
        )
        for part, line in zip(one["parts"], one["weights"], strict=True)
        for index, weight in enumerate(line)
        if index >= first
    ]
    name = f"Weights over the history of user {one['user']}"
    axes = Axes(None, None, one["parts"], numbered[first:])
    picture = draw(name, lambda width: grid(squares, width, axes))
    columns = [Column("item, oldest first", "left"), *(Column(part) for part in one["parts"])]
    rows = [
        [Entry(item), *(Entry(f"{line[index]:.4f}") for line in one["weights"])]
        for index, item in enumerate(numbered)
    ]
    notes = ["Shade: from the lowest weight of this history to the highest."]
    notes += [f"The latest {MOST_ITEMS} of {len(numbered)} items; the table has all."] if first else []
    return Figure(name, [picture], Table(name, columns, rows), notes)


def _shares(weights: Weights) -> list[float]:
    total = sum(weights["counts"]) or 1
    return [number / total for number in weights["counts"]]


def _group(weights: Weights) -> str:
    return GROUPS.get(weights["group"], weights["group"])
