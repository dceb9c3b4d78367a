"""`grasp-bench inspect freshness`: what profiles cost that are made anew only now and then."""

from __future__ import annotations

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


def freshness(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: LeaderboardPath = DEFAULT_LEADERBOARD,
    output: FormatOption = TableFormat.rich,
) -> None:
    """Set the metric against the age of users' profiles, and against the tokens that rarer ones save."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.freshness.measure import measure_freshness
    from grasp_bench.studies.freshness.report import lay_out_freshness

    plan = plan_of(spec, overrides, store, results)
    found = measure_freshness(plan, Store(store), results)
    document = lay_out_freshness(found)
    leave(found, document, results / plan.name / "freshness.json", leaderboard / f"{plan.name}.freshness.md")
    display(found, document, output)
