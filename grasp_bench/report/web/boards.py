"""Boards and pairs of a folder of results, computed once and kept until the results change."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from threading import Lock

from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.words import did_you_mean
from grasp_bench.report.board import add_missing_tests, load_board
from grasp_bench.report.cells import fingerprint
from grasp_bench.report.comparison_pair import Pair, compare_pair
from grasp_bench.report.locate import folders_of_results
from grasp_bench.report.schema import FORMAT, Board

MOST_KEPT = 64  # boards, pairs, pages


class Boards:
    """What the folders in `results` say. One request at a time computes; others find it done."""

    def __init__(self, results: Path) -> None:
        self.results = results
        # By the fingerprint, so that changed results are read anew.
        self._board = lru_cache(MOST_KEPT)(lambda folder, key: load_board(folder))
        self._pair = lru_cache(MOST_KEPT)(lambda folder, key, *named: compare_pair(folder, *named))
        self._lock = Lock()

    def folders(self) -> dict[str, Path]:
        """Folders that have results now, by name."""
        return folders_of_results(self.results)

    def folder(self, name: str) -> Path:
        """The folder of this name; UnknownNameError unless it is one of `folders`."""
        known = self.folders()
        if name not in known:
            raise UnknownNameError(f"no results of '{name}' in {self.results}{did_you_mean(name, known)}")
        return known[name]

    def key(self, name: str) -> str:
        """Hash of the results of a study: another one after any change. Raises as `folder`."""
        return fingerprint(self.folder(name), FORMAT)

    def board(self, name: str, metric: str) -> Board:
        """The board with the tests of `metric`, by default the study's. Raises as `load_board` and `folder`.

        Tests of other metrics stay in memory: looking at a board changes no file but its cache.
        """
        folder = self.folder(name)
        with self._lock:
            board = self._board(folder, self.key(name))
            add_missing_tests(folder, board, metric or board["metric"])
            return board

    def pair(self, name: str, first: str, second: str, metric: str) -> Pair:
        """Two methods compared by a metric. Raises as `compare_pair` and `folder`."""
        folder = self.folder(name)
        with self._lock:
            return self._pair(folder, self.key(name), first, second, metric)
