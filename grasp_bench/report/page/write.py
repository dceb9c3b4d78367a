"""`leaderboard/<spec>.report.html`, made from `results/<spec>` and nothing else; whole or not there."""

from __future__ import annotations

from pathlib import Path

from grasp_bench.core import atomic
from grasp_bench.report.page.layout import lay_out_page
from grasp_bench.report.page.material import read_page_material
from grasp_bench.report.page.render import render

SUFFIX = ".report.html"


def write_report(folder: Path, out: Path | None, leaderboard: Path) -> Path:
    """Write the report of a results folder to `out`, by default into `leaderboard`, and return its path.

    A file whose text has not changed is left alone. Raises as `load_board` and `read_studies` do, and
    MissingExtraError without the library that draws.
    """
    material = read_page_material(folder)
    path = out or leaderboard / f"{folder.resolve().name}{SUFFIX}"
    text = render(lay_out_page(material))
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        atomic.write_text(path, text)
    return path
