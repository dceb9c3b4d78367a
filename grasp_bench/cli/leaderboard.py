"""`grasp-bench leaderboard`: the board of one spec, in any format."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from grasp_bench.cli.options import DEFAULT_RESULTS, ResultsPath
from grasp_bench.cli.output import console, note, say_json, say_whole


class Format(StrEnum):
    """Formats of a board."""

    RICH = "rich"
    MD = "md"
    CSV = "csv"
    JSON = "json"
    LATEX = "latex"
    HTML = "html"
    SVG = "svg"


class Protocol(StrEnum):
    """Which ranking comes first."""

    FULL = "full"
    SAMPLED = "sampled"


def leaderboard(
    spec: Annotated[
        str | None,
        typer.Argument(metavar="[SPEC]", help="A spec's name, its file, or a results folder; the only one."),
    ] = None,
    results: ResultsPath = DEFAULT_RESULTS,
    format: Annotated[Format, typer.Option("--format", help="How the board is written.")] = Format.RICH,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write it to a file.")] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME@K", help="Rank by this metric, e.g. HR@20.")
    ] = None,
    protocol: Annotated[
        Protocol | None, typer.Option("--protocol", help="Rank by the full or the sampled ranking.")
    ] = None,
) -> None:
    """Rank the methods of a spec, with significance, from stored results alone."""
    from grasp_bench.core import atomic
    from grasp_bench.report.board import load_board
    from grasp_bench.report.layout import lay_out
    from grasp_bench.report.locate import find_results
    from grasp_bench.report.renderers.registry import RENDERERS

    board = load_board(find_results(spec, results), metric=metric)
    document = lay_out(board, metric=metric, protocol=protocol.value if protocol else None)
    if format is Format.RICH and out is None:
        from grasp_bench.report.renderers.terminal import show

        show(document, console())
        return
    if format is Format.JSON and out is None:
        say_json(board)
        return
    text = RENDERERS.get(format.value)(board, document)
    if out is None:
        say_whole(text)
    else:
        atomic.write_text(out, text)
        note(f"wrote {out}")
