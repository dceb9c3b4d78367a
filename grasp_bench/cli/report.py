"""`grasp-bench report`: everything that is known of one spec as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_bench.cli.options import DEFAULT_LEADERBOARD, DEFAULT_RESULTS, LeaderboardPath, ResultsPath
from grasp_bench.cli.output import say


def report(
    spec: Annotated[
        str | None,
        typer.Argument(metavar="[SPEC]", help="A spec's name, its file, or a results folder; the only one."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to; by default leaderboard/<spec>.report.html."),
    ] = None,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: LeaderboardPath = DEFAULT_LEADERBOARD,
) -> None:
    """Write one HTML file that needs no network: board, figures, studies, data, provenance."""
    from grasp_bench.report.locate import find_results
    from grasp_bench.report.page.render import write_report
    from grasp_bench.report.studies import FILES
    from grasp_bench.report.study import FILE

    path = write_report(find_results(spec, results, (FILE, *FILES)), out, leaderboard)
    say(f"{path} ({path.stat().st_size / 1e3:,.0f} kB)")
