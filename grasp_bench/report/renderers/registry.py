"""Formats by name; adding one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable

from grasp_bench.core.registry import Registry
from grasp_bench.report.document import Document
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
        "svg": "grasp_bench.report.renderers.svg:render",
    },
)
