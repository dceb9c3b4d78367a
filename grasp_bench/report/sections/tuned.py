"""What tuning each method took and gained, where a spec has values that a search found (`tuned`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grasp_bench.report.document import BLANK, Content, Entry, Section, Table
from grasp_bench.report.formatting import count, duration, percent, points
from grasp_bench.report.page.blocks import PageSection
from grasp_bench.report.schema import Board, Ranking
from grasp_bench.report.sections.ranking import mean_of
from grasp_bench.report.study import OWN_SETTINGS

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData

TITLE = "Tuning budgets"
NOTE = (
    "Validation figures decided the search; the best of several trials is higher by the choice itself. Gains "
    "are of the test figures over the method's own settings."
)


def tuned_section(board: Board, protocol: str, metric: str) -> Section | None:
    """A table for each ranking; None for a spec without `tuned`."""
    tables = [_table(board, ranking, protocol, metric) for ranking in board["rankings"]]
    return Section(TITLE, tables) if board.get("tuned") else None


def tuned_page_section(data: PageData) -> PageSection | None:
    """The same for a page."""
    board = data.board
    section = tuned_section(board, board["rank_by"], board["metric"])
    return PageSection("tuned", TITLE, list(section.tables)) if section else None


def _table(board: Board, ranking: Ranking, protocol: str, metric: str) -> Table:
    test: dict[str, float] = {}
    for row in ranking["rows"]:
        figure = mean_of(row, protocol, metric)
        if figure is not None and row["coordinates"].get("backbone"):
            test.setdefault(_name(row["coordinates"]), figure["mean"])
    rows: list[list[Content]] = []
    for name, found in board.get("tuned", {}).items():
        if found.get("trials") is None:
            continue
        own = test.get(f"{name}/{OWN_SETTINGS}", test.get(name) if _same(board, name) else None)
        tuned = test.get(name)
        gain = BLANK if own is None or tuned is None else points(tuned - own)
        seconds = found.get("seconds")
        rows.append(
            [
                name, count(found["trials"]), Entry(duration(seconds), order=seconds),
                percent(found.get("validation")), percent(own), percent(tuned), gain,
            ]
        )  # fmt: skip
    heads = ["method", "trials", "training", "best on validation"]
    heads += [f"{metric}, own settings", f"{metric}, tuned", "gain"]
    return Table.of_texts(f"Search of each method, {protocol} ranking", heads, rows, [NOTE])


def _same(board: Board, name: str) -> bool:
    """Whether the spec asks for the method's own settings beside the tuned ones: then they won the search."""
    return f"{name}/{OWN_SETTINGS}" in board.get("tuned", {})


def _name(coordinates: dict[str, Any]) -> str:
    name = f"{coordinates['backbone']}+{coordinates['enhancer']}"
    return f"{name}/{coordinates['ablation']}" if coordinates.get("ablation") else name
