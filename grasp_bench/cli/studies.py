"""`grasp-bench latency`, `probe` and `inspect freshness`: studies of finished cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from grasp_bench.cli.output import note
from grasp_bench.cli.study_command import Inputs, study_command

OnlyOption = Annotated[
    str, typer.Option("--only", metavar="GLOB", help="Cells whose slug matches, e.g. '*-s42'.")
]


@study_command("latency")
def latency(
    inputs: Inputs,
    only: OnlyOption = "*",
    requests: Annotated[int, typer.Option("--requests", min=2, help="Requests a cell.")] = 300,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of a request.")] = 1,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Requests at once, for throughput.")] = 64,
    cold: Annotated[
        int, typer.Option("--cold", min=0, help="Fresh processes a cell and path; 0: no cold starts.")
    ] = 5,
) -> Mapping[str, Any]:
    """Time single requests of trained cells, and say whether "under 1 ms extra a request" holds.

    Each cell takes turns with the bare backbone of the same seed, on the same requests: with all of users
    precomputed, with their neighbours searched in the request, and with their text encoded in it.
    """
    from grasp_bench.studies.latency.measure import Measure, measure_latency

    measure = Measure(requests=requests, threads=threads, batch_size=batch, cold=cold)
    return measure_latency(inputs.plan, inputs.plan.only(only), inputs.store, measure, note)


@study_command("probe")
def probe(
    inputs: Inputs,
    only: OnlyOption = "*",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which users teach, and which items.")] = 0,
    users: Annotated[int, typer.Option("--users", min=4, help="Users at most, drawn by seed.")] = 50_000,
) -> Mapping[str, Any]:
    """Predict clicks on held-out pairs by logistic regression and a small MLP, with and without states.

    Reads the test targets, as a ranking does; the probes' settings are fixed.
    """
    from grasp_bench.studies.probe.measure import probe_cells

    return probe_cells(inputs.plan, inputs.plan.only(only), inputs.store, note, seed, users)


@study_command("freshness", published=True)
def freshness(inputs: Inputs) -> Mapping[str, Any]:
    """Set the metric against the age of users' profiles, and against the tokens that rarer ones save."""
    from grasp_bench.studies.freshness.measure import measure_freshness

    return measure_freshness(inputs.plan, inputs.store, inputs.results)
