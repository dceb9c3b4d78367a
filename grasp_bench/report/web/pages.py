"""The pages: the list of studies, and a board with two of its methods compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, islice
from typing import Any
from urllib.parse import quote

from grasp_bench.core.errors import GraspBenchError
from grasp_bench.core.shown import shown_line
from grasp_bench.report.cells import cell_folders
from grasp_bench.report.comparison_layout import lay_out_pair
from grasp_bench.report.document import BLANK, Column, Entry, Section, Table
from grasp_bench.report.formatting import UNITS
from grasp_bench.report.layout import lay_out
from grasp_bench.report.page.blocks import Block, Linked, Page, PageSection, Picked, Prose
from grasp_bench.report.page.render import blocks_of, facts_of, header_column
from grasp_bench.report.schema import Board
from grasp_bench.report.sections.ranking import OVERALL, label_of
from grasp_bench.report.sections.significance import verdicts_of
from grasp_bench.report.study import read_study
from grasp_bench.report.web.boards import Boards
from grasp_bench.report.web.view import (
    Choice,
    View,
    choices_of_board,
    choices_of_cells,
    fits,
    hidden_rows,
    narrowed,
)

MOST_PAIRS = 15  # links to pairs of the ticked methods: six methods


@dataclass(frozen=True)
class Form:
    """The form of a page: of the list or of a board, with what is ticked and not in sight.

    `links` lead to other views, by the words that stand on them.
    """

    choices: Sequence[Choice]
    note: str = ""
    lists: bool = False
    unseen: Sequence[str] = ()
    links: Mapping[str, str] = field(default_factory=dict)


def list_page(boards: Boards, view: View) -> tuple[Page, Form]:
    """All studies in the results that fit the view, by name. A damaged one says what is wrong."""
    rows: list[list[Entry]] = []
    cells: list[Mapping[str, Any]] = []
    datasets: set[str] = set()
    for name, folder in boards.folders().items():
        link = Linked(name, link=f"/studies/{quote(name, safe='')}")
        try:
            study, finished = read_study(folder), len(cell_folders(folder))
        except GraspBenchError as error:
            rows.append([link, Entry(error.message), *[Entry(BLANK)] * 4])
            continue
        planned = study.planned or ()
        cells += planned
        here = sorted({shown_line(str(cell["dataset"])) for cell in planned})
        datasets.update(here)
        if _fits_study(f"{name} {study.description}", here, planned, view):
            enhancers = sorted({str(cell["enhancer"]) for cell in planned if cell["enhancer"]})
            counts = f"{finished} of {len(planned)}" if planned else str(finished)
            texts = (study.description, ", ".join(here), ", ".join(enhancers), counts)
            rows.append([link, *map(Entry, texts), Entry(str(len(study.hypotheses)))])
    heads = [Column(head, "left") for head in ("study", "question", "dataset", "enhancers")]
    table = Table("", [*heads, Column("cells finished"), Column("hypotheses")], rows)
    blocks = [table] if rows else [Prose(["No study fits. Reset the form to see all."])]
    page = Page(
        title="Boards",
        description=f"Studies in {boards.results}",
        sections=[PageSection("studies", f"Studies ({len(rows)})", blocks)],
    )
    return page, Form(choices_of_cells(sorted(datasets), cells, view), lists=True)


def _fits_study(words: str, datasets: Sequence[str], cells: Sequence[Mapping[str, Any]], view: View) -> bool:
    """Whether a study has every word and some cell of what is chosen."""
    if not all(word in words.lower() for word in view.q.lower().split()):
        return False
    if view.dataset and view.dataset not in datasets:
        return False
    chosen = view.backbone or view.enhancer
    return not chosen or any(cell["backbone"] and fits(cell, view) for cell in cells)


def board_page(boards: Boards, name: str, view: View) -> tuple[Page, Form]:
    """The board of a study as `leaderboard` lays it out, less what the view hides; first the pair, if any.

    Raises as `Boards.board`, and UnknownNameError for a choice that is not on the board.
    """
    board = boards.board(name, view.metric)
    choices = choices_of_board(board, view)
    shown = narrowed(board, view)
    rows = [row for ranking in shown["rankings"] for row in ranking["rows"]]
    hidden = hidden_rows(rows, view)
    gone = {text for row in hidden for text in (row["label"], label_of(row))}
    picks = {label_of(row): shown_line(row["label"]) for row in rows}
    boxes: list[Picked] = []
    document = lay_out(
        shown, metric=view.metric or None, protocol=view.protocol or None, group=view.group or OVERALL
    )
    compared, links = _compared(boards, name, board, view)
    sections = [compared] if compared else []
    for index, section in enumerate(document.sections):
        tables = [_without_rows(table, gone) for table in section.plain_tables]
        if section.kind == "ranking":
            tables = [_pickable(table, picks, boxes, view) for table in tables]
        blocks = blocks_of(replace(section, title="Show", tables=tables))
        if not section.folded:
            blocks = blocks[1:]  # its heading is that of the page's section
        if blocks:
            sections.append(PageSection(f"s{index}", section.title, blocks))
    page = Page(board["name"], board["description"], UNITS, facts_of(board), sections)
    seen = {each.pick for each in boxes}
    unseen = [each for each in view.method if each not in seen]
    note = HIDDEN.format(len(rows) - len(hidden), len(rows)) if hidden else ""
    return page, Form(choices, note, unseen=unseen, links=links)


HIDDEN = "{} of {} rows are shown. Places, marks and tests are those of the whole board."


def _without_rows(table: Table, gone: set[str]) -> Table:
    """The table less the rows that are named by what is hidden."""
    name = header_column(table)
    return replace(table, rows=[row for row in table.rows if row[name].text not in gone])


def _pickable(table: Table, picks: dict[str, str], boxes: list[Picked], view: View) -> Table:
    """The table with a box before each of `picks`, which are moved to `boxes`: a method has one on a page."""
    name, rows = header_column(table), []
    for row in table.rows:
        entry = row[name]
        pick = picks.pop(entry.text, None)
        if pick is not None:
            entry = Picked(entry.text, entry.mark, entry.tier, pick=pick, ticked=pick in view.method)
            boxes.append(entry)
        rows.append([*row[:name], entry, *row[name + 1 :]])
    return replace(table, rows=rows)


def _compared(
    boards: Boards, name: str, board: Board, view: View
) -> tuple[PageSection | None, Mapping[str, str]]:
    """Two ticked methods compared, with links to other views; of more, links to each two."""
    if len(view.method) != 2:
        pairs = islice(combinations(view.method, 2), MOST_PAIRS)
        clear = {"untick all": view.link(method=(), only="")} if view.method else {}
        return None, {f"{a} against {b}": view.link(method=(a, b)) for a, b in pairs} | clear
    labels = {shown_line(row["label"]): row["label"] for r in board["rankings"] for row in r["rows"]}
    first, second = (labels.get(each, each) for each in view.method)
    links = {
        f"{view.method[1]} against {view.method[0]}": view.link(method=view.method[::-1]),
        "untick both": view.link(method=(), only=""),
    }
    try:
        pair = boards.pair(name, first, second, view.metric or board["metric"])
    except GraspBenchError as error:
        return PageSection("pair", f"{first} against {second}", [Prose(str(error).splitlines())]), links
    document = lay_out_pair(pair)
    named = {pair["first"], pair["second"]}
    declared = [claim for claim in board["claims"] if {claim["better"], claim["than"]} == named]
    settings, *protocols = document.sections
    blocks: list[Block] = [Prose(document.lines[:1])]
    if declared:
        blocks += [
            Prose(["Declared in the spec, and corrected for all declared tests:"]),
            verdicts_of(declared),
        ]
    for section in protocols:
        if not view.protocol or section.title.startswith(view.protocol):
            blocks += blocks_of(section)
    blocks += blocks_of(Section(settings.title, settings.plain_tables, settings.lines, folded=True))
    return PageSection("pair", document.title, blocks), links
