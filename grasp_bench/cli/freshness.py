"""`grasp-bench inspect freshness`: what profiles cost that are made anew only now and then."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from grasp_bench.cli.options import (
    DEFAULT_RESULTS,
    DEFAULT_STORE,
    Overrides,
    ResultsPath,
    SpecPath,
    StorePath,
)
from grasp_bench.cli.output import console, note, say_json


class Format(StrEnum):
    """How the study is printed."""

    rich = "rich"
    json = "json"


def freshness(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: Annotated[
        Path, typer.Option("--leaderboard", metavar="FOLDER", help="Where the study is rendered to.")
    ] = Path("leaderboard"),
    output: Annotated[Format, typer.Option("--format", help="Tables, or JSON for programs.")] = Format.rich,
) -> None:
    """Set the metric against the age of users' profiles, and against the tokens that rarer ones save."""
    from grasp_bench.core import atomic
    from grasp_bench.core.store import Store
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.fingerprints import Fingerprints, cache_file
    from grasp_bench.report.renderers.markdown import document_text
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.spec.loading import load
    from grasp_bench.studies.freshness import measure_freshness
    from grasp_bench.studies.freshness_layout import lay_out_freshness

    plan = compile_plan(load(spec, overrides).experiment, Fingerprints(cache_file(store)))
    found = measure_freshness(plan, Store(store), results)
    document = lay_out_freshness(found)
    stored, rendered = results / plan.name / "freshness.json", leaderboard / f"{plan.name}.freshness.md"
    atomic.write_json(stored, found)
    atomic.write_text(rendered, document_text(document))
    if output is Format.json:
        say_json(found)
    else:
        show(document, console())
    note(f"whole study: {rendered}, {stored}")
