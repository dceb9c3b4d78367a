"""Read what a report is made from, arrange its sections, and render them as HTML.

No script but the page's own may run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from grasp_bench.core import atomic
from grasp_bench.core.shown import shown
from grasp_bench.report.board import load_board
from grasp_bench.report.build import build_board
from grasp_bench.report.cells import cell_folders, fingerprint
from grasp_bench.report.charts.drawing import draw
from grasp_bench.report.document import BLANK, Entry, Section, Table
from grasp_bench.report.formatting import UNITS, count
from grasp_bench.report.page.blocks import Block, Fact, Folded, Heading, Page, PageSection, Prose
from grasp_bench.report.rows import protocols_in_order, suffix_of
from grasp_bench.report.schema import FORMAT, Board, Ranking
from grasp_bench.report.sections.ablations import ablations_section
from grasp_bench.report.sections.across import across_page_section
from grasp_bench.report.sections.details import data_section, gaps, provenance_section
from grasp_bench.report.sections.groups import groups_section
from grasp_bench.report.sections.noise import noise_page_section
from grasp_bench.report.sections.published import paper_section
from grasp_bench.report.sections.ranking import board_section
from grasp_bench.report.sections.significance import hypotheses_section
from grasp_bench.report.sections.summary import summary_section
from grasp_bench.report.sections.tuned import tuned_page_section
from grasp_bench.report.significance import AblationDelta, Deltas, ablation_deltas
from grasp_bench.report.studies import Findings, read_findings


@dataclass(frozen=True)
class PageData:
    """The board of a spec, its ablations' deltas and its studies' findings."""

    folder: Path
    board: Board
    deltas: Deltas
    findings: Sequence[Findings]

    @property
    def metric(self) -> str:
        """The metric that ranks."""
        return self.board["metric"]

    def protocols(self, ranking: Ranking) -> list[str]:
        """The protocols of a ranking, the one that ranks first."""
        return protocols_in_order(ranking, self.board["rank_by"])

    def suffix(self, ranking: Ranking) -> str:
        """What tells a ranking from the others of a board; nothing where it is the only one."""
        return suffix_of(self.board, ranking)

    def deltas_of(self, ranking: Ranking, protocol: str) -> Sequence[AblationDelta]:
        """What the ablations of a ranking cost."""
        return self.deltas.get(ranking["protocol_hash"], {}).get(protocol, ())


def read_page_data(folder: Path) -> PageData:
    """Read a results folder; raises as `load_board` and `read_findings` do.

    A search leaves no cell: with findings of studies alone, the board has no ranking and is not cached.
    """
    findings = read_findings(folder)
    alone = bool(findings) and not cell_folders(folder)
    board = build_board(folder, fingerprint(folder, FORMAT)) if alone else load_board(folder)
    protocols = list(dict.fromkeys(name for ranking in board["rankings"] for name in ranking["protocols"]))
    return PageData(folder, board, ablation_deltas(folder, board["metric"], protocols), findings)


SectionMaker = Callable[[PageData], PageSection | None]
BEFORE_STUDIES: tuple[SectionMaker, ...] = (
    summary_section, hypotheses_section, board_section, across_page_section, tuned_page_section,
    paper_section, ablations_section, noise_page_section,
)  # fmt: skip
BEHIND_STUDIES: tuple[SectionMaker, ...] = (groups_section, data_section, gaps, provenance_section)


def lay_out_page(data: PageData) -> Page:
    """Arrange everything that there is."""
    made = [
        *(make(data) for make in BEFORE_STUDIES),
        *map(study_section, data.findings),
        *(make(data) for make in BEHIND_STUDIES),
    ]
    return Page(
        title=data.board["name"],
        description=data.board["description"],
        units=UNITS,
        facts=facts_of(data.board),
        sections=[section for section in made if section is not None],
    )


def study_section(findings: Findings) -> PageSection | None:
    """The document of a study and its details; None where its findings are empty."""
    document = findings.study.document(findings.found)
    if not document.sections:
        return None
    blocks: list[Block] = [Prose(document.lines, listed=True)] if document.lines else []
    for section in (*document.sections, *findings.study.details(findings.found)):
        blocks += blocks_of(section)
    return PageSection(findings.name, findings.study.title, blocks)


def blocks_of(section: Section) -> list[Block]:
    """A section of a document within a section of the page; nothing where it is empty."""
    lines = [Prose(section.lines, listed=True)] if section.lines else []
    if section.folded:
        return [Folded(section.title, [*lines, *section.tables])]
    return [Heading(section.title), *lines, *section.tables] if section.lines or section.tables else []


def facts_of(board: Board) -> list[Fact]:
    """The size of it all."""
    rows = [row for ranking in board["rankings"] for row in ranking["rows"]]
    ours = [row for row in rows if row["kind"] != "control"]
    seeds = {seed for row in rows for seed in row["seeds"]}
    finished = sum(len(row["slugs"]) for row in rows)
    planned = finished + len(board["missing"])
    facts = []
    if planned:
        facts += [
            Fact(str(len(ours)), "methods"),
            Fact(str(len(rows) - len(ours)), "controls"),
            Fact(str(len(seeds)), "seeds"),
            Fact(f"{finished} of {planned}", "cells finished"),
        ]
    for name, card in board["cards"].items():
        told = [f"{count(card[key])} {key}" for key in ("users", "items", "interactions") if card.get(key)]
        if told:
            facts.append(Fact(name, ", ".join(told)))
    return facts


FOLDER = "templates"
_NUMBER = re.compile(r"[-+−]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?")
FILTER_FROM = 8  # rows: a shorter table is read faster than it is filtered


def render(page: Page) -> str:
    """The whole file. All text is escaped; the script runs by its hash, so that no other one can."""
    style, script = (source(name) for name in ("page.css", "page.js"))
    return environment().get_template("page.html.j2").render(
        page=page, style=Markup(style), script=Markup(script), policy=_policy(script)
    )  # fmt: skip


def kind_of(block: Block) -> str:
    """The macro that writes a part."""
    return type(block).__name__.lower()


def order_of(entry: Entry) -> str:
    """What an entry is sorted by: its own order, or the first number in it; nothing for a blank."""
    if entry.order is not None:
        return f"{entry.order:g}"
    found = _NUMBER.search(entry.text)
    return "" if entry.text == BLANK or found is None else found.group().replace(",", "").replace("−", "-")


def header_column(table: Table) -> int:
    """Which column names a row: the first of names, else the first."""
    return next((i for i, column in enumerate(table.columns) if column.align == "left"), 0)


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"


def source(name: str) -> str:
    """A template, the style or the script of a page."""
    folder = resources.files("grasp_bench.report.page") / FOLDER
    return (folder / name).read_text(encoding="utf-8")


def _text(value: object) -> object:
    """What a template writes: markup as it is, text as it may be shown."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def environment() -> Environment:
    """The templates of a page, with all text escaped."""
    made = Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        finalize=_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"draw": draw, "kind": kind_of, "order": order_of, "header_column": header_column}
    made.globals |= {"filter_from": FILTER_FROM}
    return made


SUFFIX = ".report.html"


def write_report(folder: Path, out: Path | None, leaderboard: Path) -> Path:
    """Write the report of a results folder to `out`, by default into `leaderboard`, and return its path.

    A file whose text has not changed is left alone. Raises as `read_page_data` does, and
    MissingExtraError without the library that draws.
    """
    data = read_page_data(folder)
    path = out or leaderboard / f"{folder.resolve().name}{SUFFIX}"
    text = render(lay_out_page(data))
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        atomic.write_text(path, text)
    return path
