"""The board as JSON: all of it, values as fractions in [0, 1]."""

from __future__ import annotations

import json

from grasp_bench.report.document import Document
from grasp_bench.report.schema import Board


def render(board: Board, document: Document) -> str:
    """board.json as it is stored; NaN is refused."""
    return json.dumps(board, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
