"""`grasp-bench compare A B`: one pair of methods or cells, explained."""

from __future__ import annotations

from typing import Annotated

import typer

from grasp_bench.cli.options import DEFAULT_RESULTS, FormatOption, ResultsPath, TableFormat
from grasp_bench.cli.study_command import display


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A method as the board names it, or a slug.")],
    second: Annotated[str, typer.Argument(metavar="B", help="What A is compared with.")],
    spec: Annotated[
        str | None,
        typer.Option(
            "--spec", metavar="SPEC", help="A spec's name, its file, or a results folder; else the only one."
        ),
    ] = None,
    results: ResultsPath = DEFAULT_RESULTS,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME@K", help="The metric that is tested, e.g. HR@20.")
    ] = None,
    output: FormatOption = TableFormat.rich,
) -> None:
    """Explain A less B: how much, how sure, for whom, and which settings differ."""
    from grasp_bench.report.comparison_layout import lay_out_pair
    from grasp_bench.report.comparison_pair import compare_pair
    from grasp_bench.report.locate import find_results

    pair = compare_pair(find_results(spec, results), first, second, metric)
    display(pair, lay_out_pair(pair), output)
