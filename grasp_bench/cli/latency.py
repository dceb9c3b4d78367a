"""`grasp-bench latency`: what one request costs, against the bare backbone."""

from __future__ import annotations

from typing import Annotated

import typer

from grasp_bench.cli.findings import display, leave, plan_of
from grasp_bench.cli.options import (
    DEFAULT_LEADERBOARD,
    DEFAULT_RESULTS,
    DEFAULT_STORE,
    FormatOption,
    LeaderboardPath,
    Overrides,
    ResultsPath,
    SpecPath,
    StorePath,
    TableFormat,
)
from grasp_bench.cli.output import note


def latency(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: LeaderboardPath = DEFAULT_LEADERBOARD,
    only: Annotated[
        str, typer.Option("--only", metavar="GLOB", help="Cells whose slug matches, e.g. '*-s42'.")
    ] = "*",
    requests: Annotated[int, typer.Option("--requests", min=2, help="Requests a cell.")] = 300,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of a request.")] = 1,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Requests at once, for throughput.")] = 64,
    cold: Annotated[
        int, typer.Option("--cold", min=0, help="Fresh processes a cell and path; 0: no cold starts.")
    ] = 5,
    output: FormatOption = TableFormat.rich,
) -> None:
    """Time single requests of trained cells, and say whether "under 1 ms extra a request" holds.

    Each cell takes turns with the bare backbone of the same seed, on the same requests: with all of users
    precomputed, with their neighbours searched in the request, and with their text encoded in it.
    """
    from grasp_bench.core.store import Store
    from grasp_bench.studies.latency.measure import Measure, measure_latency
    from grasp_bench.studies.latency.report import lay_out_latency

    plan = plan_of(spec, overrides, store)
    measure = Measure(requests=requests, threads=threads, batch_size=batch, cold=cold)
    found = measure_latency(plan, plan.only(only), Store(store), measure, note)
    document = lay_out_latency(found)
    leave(found, document, results / plan.name / "latency.json", leaderboard / f"{plan.name}.latency.md")
    display(found, document, output)
