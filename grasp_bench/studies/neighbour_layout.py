"""An inspection of neighbours as a document."""

from __future__ import annotations

from collections.abc import Mapping

from grasp_bench.report.document import Document, Section, Table
from grasp_bench.studies.neighbour_inspection import NeighbourInspection, Rate
from grasp_bench.studies.sample_layout import sample_sections
from grasp_bench.studies.wording import number, share, table, with_interval

SHARED = {"items": "a buyer in training", "users": "a training item"}
NOTE = (
    "Shares of an entity's neighbours, or of as many random partners. Matched partners are as popular as the "
    "neighbours; lift is neighbours over matched, with its 95 % bootstrap interval."
)


def lay_out_neighbours(found: NeighbourInspection) -> Document:
    """Samples first, then figures."""
    hubs = found.hubs
    lines = [
        f"cosine of the nearest: {_quantiles(found.nearest)}; of the last of {found.num_neighbours}: "
        f"{_quantiles(found.farthest)}",
        f"the most frequent 1 % take {share(hubs.top_share)} of all places, {share(hubs.never)} are nobody's "
        f"neighbour (skewness {number(hubs.skewness)})",
        f"most frequent: {found.most_frequent}, {hubs.most[1]:,} times",
        f"{share(hubs.clones)} have a nearest neighbour that cannot be told from them",
    ]
    tables = [_rates(f"Sharing {SHARED[found.side]}", found.behaviour)]
    if found.traits:
        tables.append(_rates("Sharing a trait", found.traits))
    sections = [*sample_sections(found.samples, found.side), Section("Neighbours", tables, lines)]
    return Document(f"Neighbours of {found.side}, {found.cell}", [], sections)


def _rates(title: str, rates: Mapping[str, Rate]) -> Table:
    rows = [
        [
            name,
            f"{rate.entities:,}",
            share(rate.neighbours),
            share(rate.matched),
            share(rate.uniform),
            with_interval(rate.lift, rate.low, rate.high),
        ]
        for name, rate in rates.items()
    ]
    return table(title, ["", "entities", "neighbours", "matched", "uniform", "lift"], rows, [NOTE])


def _quantiles(values: Mapping[str, float]) -> str:
    return ", ".join(f"{number(value, 3)} ({name})" for name, value in values.items())
