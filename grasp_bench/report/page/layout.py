"""Which sections a report has, in which order."""

from __future__ import annotations

from collections.abc import Callable

from grasp_bench.report.numbers import UNITS, count
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Fact, Page, PageSection
from grasp_bench.report.page.sections.ablations import ablations_section
from grasp_bench.report.page.sections.across import across_section
from grasp_bench.report.page.sections.attention import attention_section
from grasp_bench.report.page.sections.boards import board_section
from grasp_bench.report.page.sections.claims import hypotheses_section
from grasp_bench.report.page.sections.data import data_section
from grasp_bench.report.page.sections.found import found_section
from grasp_bench.report.page.sections.freshness import freshness_section
from grasp_bench.report.page.sections.groups import groups_section
from grasp_bench.report.page.sections.latency import latency_section
from grasp_bench.report.page.sections.noise import noise_section
from grasp_bench.report.page.sections.probe import probe_section
from grasp_bench.report.page.sections.provenance import gaps, provenance_section
from grasp_bench.report.page.sections.published import paper_section
from grasp_bench.report.page.sections.tuning import tuning_section

SECTIONS: tuple[Callable[[PageMaterial], PageSection | None], ...] = (
    found_section, hypotheses_section, board_section, across_section, paper_section, ablations_section,
    noise_section, tuning_section, attention_section, latency_section, freshness_section, probe_section,
    groups_section, data_section, gaps, provenance_section,
)  # fmt: skip


def lay_out_page(material: PageMaterial) -> Page:
    """Arrange everything that there is."""
    made = (make(material) for make in SECTIONS)
    return Page(
        title=material.board["name"],
        description=material.board["description"],
        units=UNITS,
        facts=_facts(material),
        sections=[section for section in made if section is not None],
    )


def _facts(material: PageMaterial) -> list[Fact]:
    """The size of it all."""
    rows = [row for ranking in material.board["rankings"] for row in ranking["rows"]]
    ours = [row for row in rows if row["kind"] != "control"]
    seeds = {seed for row in rows for seed in row["seeds"]}
    finished = sum(len(row["slugs"]) for row in rows)
    planned = finished + len(material.board["missing"])
    facts = []
    if planned:
        facts += [
            Fact(str(len(ours)), "methods"),
            Fact(str(len(rows) - len(ours)), "controls"),
            Fact(str(len(seeds)), "seeds"),
            Fact(f"{finished} of {planned}", "cells finished"),
        ]
    for name, card in material.board["cards"].items():
        told = [f"{count(card[key])} {key}" for key in ("users", "items", "interactions") if card.get(key)]
        if told:
            facts.append(Fact(name, ", ".join(told)))
    return facts
