"""`grasp-bench report`: everything that is known of one spec as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_bench import api
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
    path = api.report(spec, out=out, results=results, leaderboard=leaderboard)
    say(f"{path} ({path.stat().st_size / 1e3:,.0f} kB)")
