"""The board of one results folder: kept in board.json until a cell, the study or its format changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from grasp_bench.core import hashing
from grasp_bench.core.errors import DataError
from grasp_bench.report.cells import cell_folders, fingerprint
from grasp_bench.report.rows import measured_metrics, require_metric
from grasp_bench.report.schema import FORMAT, Board

FILE = "board.json"


def load_board(folder: Path, *, metric: str | None = None) -> Board:
    """Return the board of `results/<spec>`, with tests for `metric` (by default the study's own).

    From the cache nothing heavier than json is imported. Raises MissingFileError for a folder that is
    not there, DataError for one without cells or with a damaged cell, IncomparableError for cells that claim
    one protocol but have different users, UnknownNameError for a metric that was not measured.
    """
    if not cell_folders(folder):
        raise DataError(f"{folder}: no finished cell", hint="grasp-bench run the spec first")
    key = fingerprint(folder, FORMAT)
    board = _cached(folder / FILE, key)
    if board is None:
        from grasp_bench.report.build import build_board

        board = build_board(folder, key)
        _keep(folder / FILE, board)
    if add_missing_tests(folder, board, metric or board["metric"]):
        _keep(folder / FILE, board)
    return board


def add_missing_tests(folder: Path, board: Board, metric: str) -> bool:
    """Add the tests of a metric to the board of a folder in memory; False where it has them.

    Raises UnknownNameError for a metric that was not measured.
    """
    if measured := measured_metrics(board["rankings"]):
        require_metric(metric, measured)
    if _tested(board, metric):
        return False
    from grasp_bench.report.build import add_tests

    add_tests(folder, board, metric)
    return True


def _tested(board: Board, metric: str) -> bool:
    return all(
        metric in ranking["tests"].get(protocol, {})
        for ranking in board["rankings"]
        for protocol in ranking["protocols"]
    )


def _cached(path: Path, key: str) -> Board | None:
    """The kept board; None where it is absent, of other cells, or not as it was written.

    A damaged or altered cache is made again without a message. One without a checksum may be altered.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or not hashing.has_checksum(found) or hashing.is_altered(found):
        return None
    return cast(Board, hashing.without_checksum(found)) if found.get("key") == key else None


def _keep(path: Path, board: Board) -> None:
    try:
        hashing.write(path, board)
    except OSError:
        return  # published results may lie on a read-only disk; the board is only slower there
