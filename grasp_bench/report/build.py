"""Build a board: group cells into methods, methods into rankings, and test the rankings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grasp_bench.report.across import Scale, across_datasets
from grasp_bench.report.claims import judge
from grasp_bench.report.comparable_cells import ComparableCells, StoredResults, read_results, why_apart
from grasp_bench.report.degradation import degradations
from grasp_bench.report.methods import method_of
from grasp_bench.report.published_comparison import compare_published
from grasp_bench.report.rows import make_row, measured_metrics
from grasp_bench.report.schema import FORMAT, PROTOCOLS, Board, LeftOut, Ranking
from grasp_bench.report.significance import left_of_gains, tests_against_best
from grasp_bench.report.user_values import UserValues


def build_board(folder: Path, key: str) -> Board:
    """Make the whole board, with tests for the study's own metric."""
    stored = read_results(folder)
    study = stored.study
    values = UserValues()
    rankings = [_ranking(partition, stored, values) for partition in stored.partitions]
    measured = measured_metrics(rankings)
    metric = study.metric if study.metric in measured or not measured else measured[0]
    is_there = any(study.rank_by in ranking["protocols"] for ranking in rankings)
    rank_by = study.rank_by if is_there else "sampled"
    board = Board(
        format=FORMAT,
        key=key,
        name=study.name,
        description=study.description,
        metric=metric,
        rank_by=rank_by,
        rankings=rankings,
        across=across_datasets(rankings, stored, Scale(metric, rank_by, values)),
        claims=judge(stored, values),
        missing=_missing(stored),
        left_out=[
            LeftOut(slug=slug, method="", seed=None, reason=reason)
            for slug, reason in stored.collected.left_out
        ],
        cards=dict(study.cards),
        tuned=dict(study.tuned),
    )
    _test(board, stored, metric, values)
    for ranking, partition in zip(board["rankings"], stored.partitions, strict=True):
        ranking["noise"] = degradations(partition, ranking["protocols"], metric, values)
    return board


def add_tests(folder: Path, board: Board, metric: str) -> None:
    """Add the tests of one more metric to a board of the same folder."""
    _test(board, read_results(folder), metric, UserValues())


def _test(board: Board, stored: StoredResults, metric: str, values: UserValues) -> None:
    for ranking, partition in zip(board["rankings"], stored.partitions, strict=True):
        named = {
            stored.labels[method]: cells
            for method, cells in partition.cells.items()
            # Who has seen the test items is nobody's best, and neither is a control.
            if cells and method.kind != "control" and not any(cell.leaks for cell in cells)
        }
        for protocol in ranking["protocols"]:
            tests = tests_against_best(named, protocol, metric, values)
            tests["shuffled"] = left_of_gains(partition.cells, stored.labels, protocol, metric, values)
            ranking["tests"].setdefault(protocol, {})[metric] = tests


def _ranking(partition: ComparableCells, stored: StoredResults, values: UserValues) -> Ranking:
    cells = partition.all_cells
    datasets = sorted({method.dataset for method in partition.planned})
    rows = [
        make_row(stored.labels[method], method, partition.cells.get(method, []), seeds)
        for method, seeds in sorted(partition.planned.items(), key=lambda entry: stored.labels[entry[0]])
    ]
    return Ranking(
        protocol_hash=partition.protocol_hash,
        dataset=", ".join(datasets),
        ties=cells[0].ties if cells else "",
        why_apart=why_apart(partition, stored.partitions),
        warnings=[line for name in datasets for line in _warnings(name, stored.study.cards)],
        protocols=[name for name in PROTOCOLS if any(cell.metrics.get(name) for cell in cells)],
        rows=rows,
        tests={},
        published=compare_published(partition, stored, values),
        noise=[],
    )


def _warnings(dataset: str, cards: Mapping[str, Any]) -> list[str]:
    """What the cards of a dataset and of its splits, such as `toy (min_user=5)`, warn of, once each."""
    own = (
        card
        for name, card in cards.items()
        if name == dataset or (name.startswith(f"{dataset} (") and "=" in name.removeprefix(dataset))
    )
    return list(dict.fromkeys(line for card in own for line in card.get("warnings", ())))


def _missing(stored: StoredResults) -> list[LeftOut]:
    """Planned cells that are not there, by slug."""
    found = {cell.slug for cell in stored.collected.cells}
    stale = dict(stored.collected.left_out)
    return [
        LeftOut(
            slug=cell["slug"],
            method=stored.labels.get(method_of(cell), ""),
            seed=None if cell["seed"] is None else int(cell["seed"]),
            reason=stale.get(cell["slug"], "not finished"),
        )
        for cell in stored.study.planned or ()
        if cell["slug"] not in found
    ]
