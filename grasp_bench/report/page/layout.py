"""Which sections a report has, in which order."""

from __future__ import annotations

from collections.abc import Callable

from grasp_bench.report.formatting import UNITS, count
from grasp_bench.report.page.blocks import Block, Fact, Folded, Heading, Page, PageSection, Prose
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.sections.ablations import ablations_section
from grasp_bench.report.sections.across import across_page_section
from grasp_bench.report.sections.details import data_section, gaps, provenance_section
from grasp_bench.report.sections.groups import groups_section
from grasp_bench.report.sections.noise import noise_page_section
from grasp_bench.report.sections.published import paper_section
from grasp_bench.report.sections.ranking import board_section
from grasp_bench.report.sections.significance import hypotheses_section
from grasp_bench.report.sections.summary import summary_section
from grasp_bench.report.studies import Findings

SectionMaker = Callable[[PageMaterial], PageSection | None]
BEFORE_STUDIES: tuple[SectionMaker, ...] = (
    summary_section, hypotheses_section, board_section, across_page_section, paper_section, ablations_section,
    noise_page_section,
)  # fmt: skip
BEHIND_STUDIES: tuple[SectionMaker, ...] = (groups_section, data_section, gaps, provenance_section)


def lay_out_page(material: PageMaterial) -> Page:
    """Arrange everything that there is."""
    made = [
        *(make(material) for make in BEFORE_STUDIES),
        *map(study_section, material.findings),
        *(make(material) for make in BEHIND_STUDIES),
    ]
    return Page(
        title=material.board["name"],
        description=material.board["description"],
        units=UNITS,
        facts=_facts(material),
        sections=[section for section in made if section is not None],
    )


def study_section(findings: Findings) -> PageSection | None:
    """The document of a study and its details; None where its findings are empty."""
    document = findings.study.document(findings.found)
    if not document.sections:
        return None
    blocks: list[Block] = [Prose(document.lines, listed=True)] if document.lines else []
    for section in (*document.sections, *findings.study.details(findings.found)):
        lines = [Prose(section.lines, listed=True)] if section.lines else []
        if section.folded:
            blocks.append(Folded(section.title, [*lines, *section.tables]))
        elif section.lines or section.tables:
            blocks += [Heading(section.title), *lines, *section.tables]
    return PageSection(findings.name, findings.study.title, blocks)


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
