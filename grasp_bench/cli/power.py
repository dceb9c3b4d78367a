"""`grasp-bench power SPEC`: how many seeds it takes to tell a difference."""

from __future__ import annotations

from typing import Annotated

import typer

from grasp_bench.cli.leaderboard import Protocol
from grasp_bench.cli.options import DEFAULT_RESULTS, FormatOption, ResultsPath, TableFormat
from grasp_bench.cli.study_command import display


def power(
    spec: Annotated[
        str | None,
        typer.Argument(metavar="[SPEC]", help="A spec's name, its file, or a results folder; the only one."),
    ] = None,
    results: ResultsPath = DEFAULT_RESULTS,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", metavar="NAME@K", help="Instead of the metric that is declared, e.g. HR@20."
        ),
    ] = None,
    protocol: Annotated[
        Protocol | None, typer.Option("--protocol", help="Instead of the ranking that is declared.")
    ] = None,
    points: Annotated[
        list[float] | None,
        typer.Option(
            "--points", min=0.001, max=100, help="A difference in points of percent; may be repeated."
        ),
    ] = None,
    sure: Annotated[
        float, typer.Option("--power", min=0.5, max=0.99, help="The chance with which it shall be told.")
    ] = 0.8,
    output: FormatOption = TableFormat.rich,
) -> None:
    """Say how many seeds it takes to tell a difference, from stored results alone."""
    from grasp_bench.report.locate import find_results
    from grasp_bench.studies.power.layout import lay_out_power
    from grasp_bench.studies.power.seeds_needed import POINTS, PowerOptions, seeds_needed

    sizes = tuple(sorted(set(points))) if points else POINTS
    options = PowerOptions(metric, protocol.value if protocol else None, sizes, sure)
    found = seeds_needed(find_results(spec, results), options)
    display(found, lay_out_power(found), output)
