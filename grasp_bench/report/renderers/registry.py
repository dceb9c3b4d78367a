"""Formats of a board by name, and boards written to a folder in all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.core.registry import Registry
from grasp_bench.report.board import load_board
from grasp_bench.report.document import Document
from grasp_bench.report.layout import lay_out
from grasp_bench.report.schema import Board

Render = Callable[[Board, Document], str]

RENDERERS: Registry[Render] = Registry(
    "format",
    {
        "rich": "grasp_bench.report.renderers.terminal:render",
        "md": "grasp_bench.report.renderers.markdown:render",
        "csv": "grasp_bench.report.renderers.csv_rows:render",
        "json": "grasp_bench.report.renderers.json_text:render",
        "html": "grasp_bench.report.renderers.html:render",
        "latex": "grasp_bench.report.renderers.latex:render",
        "svg": "grasp_bench.report.renderers.terminal:render_svg",
    },
)


SUFFIXES = {"md": ".md", "html": ".html", "csv": ".csv", "json": ".json", "latex": ".tex"}


def render_all(folder: Path, leaderboard_dir: Path) -> list[Path]:
    """Write `leaderboard/<spec>.md`, .html, .csv, .json and .tex for `results/<spec>` and return their paths.

    A file whose text has not changed is left alone. Raises as `load_board` does.
    """
    board = load_board(folder)
    document = lay_out(board)
    written = []
    for name, suffix in SUFFIXES.items():
        path = leaderboard_dir / f"{board['name']}{suffix}"
        text = RENDERERS.get(name)(board, document)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            atomic.write_text(path, text)
        written.append(path)
    return written
