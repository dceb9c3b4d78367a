"""What the data are: lengths of histories as a figure, every other fact of the card as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grasp_bench.report.document import Column, Entry, Table
from grasp_bench.report.numbers import count
from grasp_bench.report.page.charts.bars import Bar, bars
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, PageSection, Part
from grasp_bench.report.sections.record import card_table


def data_section(material: PageMaterial) -> PageSection | None:
    """The card of each dataset; None where no split has left one."""
    parts: list[Part] = []
    for name, card in material.board["cards"].items():
        lengths = card.get("lengths")
        histogram = lengths.get("histogram") if isinstance(lengths, Mapping) else None
        if histogram:
            parts.append(_lengths(name, histogram))
            card = {**card, "lengths": {key: each for key, each in lengths.items() if key != "histogram"}}
        parts.append(card_table(name, card))
    return PageSection("data", "Dataset card", parts) if parts else None


def _lengths(dataset: str, histogram: list[Mapping[str, Any]]) -> Figure:
    rows = []
    for each in histogram:
        label = str(each["from"]) if each["from"] == each["to"] else f"{each['from']} to {each['to']}"
        rows.append(Bar(label, each["users"], f"{label} interactions: {count(each['users'])} users"))
    name = f"How long histories are, {dataset}"
    picture = draw(name, lambda width: bars(rows, width, "users"))
    entries = [[Entry(row.label), Entry(count(int(row.value)))] for row in rows]
    return Figure(name, [picture], Table(name, [Column("interactions"), Column("users")], entries))
