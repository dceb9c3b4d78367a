"""What tuning each method took and gained, where a spec has values that a search found (`tuned`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grasp_bench.report.document import BLANK, Column, Entry, Section, Table
from grasp_bench.report.formatting import count, duration, percent, points
from grasp_bench.report.page.blocks import PageSection
from grasp_bench.report.schema import Board, Ranking
from grasp_bench.report.study import OWN_SETTINGS

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.material import PageMaterial

TITLE = "Tuning budgets"
NOTE = (
    "Validation figures decided the search; the best of several trials is higher by the choice itself. Gains "
    "are of the test figures over the method's own settings."
)


def tuned_section(board: Board, protocol: str, metric: str) -> Section | None:
    """A table for each ranking; None for a spec without `tuned`."""
    tables = [_table(board, ranking, protocol, metric) for ranking in board["rankings"]]
    return Section(TITLE, tables) if board.get("tuned") else None


def tuned_page_section(material: PageMaterial) -> PageSection | None:
    """The same for a page."""
    board = material.board
    section = tuned_section(board, board["rank_by"], board["metric"])
    return PageSection("tuned", TITLE, list(section.tables)) if section else None


def _table(board: Board, ranking: Ranking, protocol: str, metric: str) -> Table:
    test: dict[str, float] = {}
    for row in ranking["rows"]:
        figure = row["values"].get(protocol, {}).get("overall", {}).get(metric)
        if figure is not None and row["coordinates"].get("backbone"):
            test.setdefault(_name(row["coordinates"]), figure["mean"])
    rows = []
    for name, found in board.get("tuned", {}).items():
        if found.get("trials") is None:
            continue
        own = test.get(f"{name}/{OWN_SETTINGS}", test.get(name) if _same(board, name) else None)
        tuned = test.get(name)
        gain = BLANK if own is None or tuned is None else points(tuned - own)
        seconds = found.get("seconds")
        rows.append(
            [
                Entry(name), Entry(count(found["trials"])),
                Entry(BLANK if seconds is None else duration(seconds), order=seconds),
                Entry(percent(found.get("validation"))), Entry(percent(own)), Entry(percent(tuned)),
                Entry(gain),
            ]
        )  # fmt: skip
    columns = [
        Column("method", "left"), Column("trials"), Column("training"), Column("best on validation"),
        Column(f"{metric}, own settings"), Column(f"{metric}, tuned"), Column("gain"),
    ]  # fmt: skip
    return Table(f"Search of each method, {protocol} ranking", columns, rows, [NOTE])


def _same(board: Board, name: str) -> bool:
    """Whether the spec asks for the method's own settings beside the tuned ones: then they won the search."""
    return f"{name}/{OWN_SETTINGS}" in board.get("tuned", {})


def _name(coordinates: dict[str, Any]) -> str:
    name = f"{coordinates['backbone']}+{coordinates['enhancer']}"
    return f"{name}/{coordinates['ablation']}" if coordinates.get("ablation") else name
