"""A board as a document: which sections there are and in which order."""

from __future__ import annotations

from collections.abc import Callable

from grasp_bench.report.document import Document, Section, Table
from grasp_bench.report.formatting import UNITS
from grasp_bench.report.rows import protocols_in_order, suffix_of
from grasp_bench.report.schema import Board, Ranking
from grasp_bench.report.sections.across import across_section
from grasp_bench.report.sections.details import card_table, gaps_section, provenance_table, seed_table
from grasp_bench.report.sections.groups import beyond_table, group_metrics, group_tables
from grasp_bench.report.sections.noise import noise_section
from grasp_bench.report.sections.published import published_section
from grasp_bench.report.sections.ranking import OVERALL, ranking_table
from grasp_bench.report.sections.significance import claims_section, exploratory_table, shuffled_table
from grasp_bench.report.sections.tuned import tuned_section

TableMaker = Callable[[Ranking, str, str], Table | None]


def lay_out(
    board: Board, *, metric: str | None = None, protocol: str | None = None, group: str = OVERALL
) -> Document:
    """Arrange the board, ranked by `metric` and `protocol` (by default as the study says) of `group`.

    `board` must hold the tests of the metric: see `board.load_board`.
    """
    metric, protocol = metric or board["metric"], protocol or board["rank_by"]
    sections: list[Section | None] = []
    sections += [_ranking_section(board, ranking, protocol, metric, group) for ranking in board["rankings"]]
    sections += [across_section(board["across"]), gaps_section(board), claims_section(board)]
    sections.append(tuned_section(board, protocol, metric))
    sections += [noise_section(ranking, protocol, suffix_of(board, ranking)) for ranking in board["rankings"]]
    sections += [published_section(ranking, suffix_of(board, ranking)) for ranking in board["rankings"]]
    for ranking in board["rankings"]:
        sections += _finer_sections(board, ranking, protocol, metric)
    sections.append(_everywhere("Shuffled embeddings", board, protocol, metric, shuffled_table))
    sections.append(_everywhere("Exploratory comparisons", board, protocol, metric, exploratory_table))
    sections.append(_everywhere("Seeds", board, protocol, metric, seed_table))
    sections.append(_provenance(board))
    lines = [board["description"]] if board["description"] else []
    return Document(board["name"], [*lines, UNITS], [section for section in sections if section is not None])


def headline(document: Document) -> Document:
    """The short view: rankings, datasets together, what is missing, declared hypotheses, what noise costs."""
    sections = [section for section in document.sections if section.kind != "detail"]
    return Document(document.title, document.lines, sections)


def _ranking_section(board: Board, ranking: Ranking, first: str, metric: str, group: str) -> Section:
    heading = _heading(board, ranking)
    lines = [f"Ranked apart: {ranking['why_apart']}."] if ranking["why_apart"] else []
    if first not in ranking["protocols"]:
        lines.append(f"No {first} ranking was stored here.")
    tables = [ranking_table(ranking, name, metric, group) for name in protocols_in_order(ranking, first)]
    return Section(heading, tables, lines, kind="ranking")


def _finer_sections(board: Board, ranking: Ranking, first: str, metric: str) -> list[Section | None]:
    """Groups by the ranking's metric, by others where there is room to fold them, and beyond accuracy."""
    protocols, suffix = protocols_in_order(ranking, first), suffix_of(board, ranking)
    main, others = (
        [table for name in protocols for each in metrics for table in group_tables(ranking, name, each)]
        for metrics in ([metric], group_metrics(ranking, metric))
    )
    beyond = beyond_table(ranking, metric) if protocols else None
    return [
        Section(f"Groups{suffix}", main) if main else None,
        Section(f"Groups by other metrics{suffix}", others, folded=True) if others else None,
        Section(f"Beyond accuracy{suffix}", [beyond], folded=True) if beyond else None,
    ]


def _everywhere(title: str, board: Board, first: str, metric: str, make: TableMaker) -> Section | None:
    """The same table for every ranking and protocol."""
    made = (make(r, name, metric) for r in board["rankings"] for name in protocols_in_order(r, first))
    tables = [table for table in made if table is not None]
    return Section(title, tables, folded=True) if tables else None


def _provenance(board: Board) -> Section:
    runs = [provenance_table(ranking) for ranking in board["rankings"]]
    cards = [card_table(name, card) for name, card in board["cards"].items()]
    hashes = [f"Protocol hash{suffix_of(board, r)}: {r['protocol_hash']}." for r in board["rankings"]]
    return Section("Provenance", [*runs, *cards], hashes, folded=True)


def _heading(board: Board, ranking: Ranking) -> str:
    ties = f"ties: {ranking['ties']}" if ranking["ties"] else "not run yet"
    suffix = f", protocol {ranking['protocol_hash']}" if len(board["rankings"]) > 1 else ""
    return f"Leaderboard: {ranking['dataset']} ({ties}{suffix})"
