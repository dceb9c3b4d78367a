"""`grasp-bench probe`: click prediction with and without what cells have learned."""

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


def probe(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: LeaderboardPath = DEFAULT_LEADERBOARD,
    only: Annotated[
        str, typer.Option("--only", metavar="GLOB", help="Cells whose slug matches, e.g. '*-s42'.")
    ] = "*",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which users teach, and which items.")] = 0,
    users: Annotated[int, typer.Option("--users", min=4, help="Users at most, drawn by seed.")] = 50_000,
    output: FormatOption = TableFormat.rich,
) -> None:
    """Predict clicks on held-out pairs by logistic regression and a small MLP, with and without states.

    Reads the test targets, as a ranking does; the probes' settings are fixed.
    """
    from grasp_bench.core.store import Store
    from grasp_bench.studies.probe.measure import probe_cells
    from grasp_bench.studies.probe.report import lay_out_probes

    plan = plan_of(spec, overrides, store)
    found = probe_cells(plan, plan.only(only), Store(store), note, seed, users)
    document = lay_out_probes(found)
    leave(found, document, results / plan.name / "probe.json", leaderboard / f"{plan.name}.probe.md")
    display(found, document, output)
