"""Rendered boards for `leaderboard/`: made only from `results/`, each file whole or absent."""

from __future__ import annotations

from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.report.board import load_board
from grasp_bench.report.layout import lay_out
from grasp_bench.report.renderers.registry import RENDERERS

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
