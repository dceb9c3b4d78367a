"""`grasp-bench probe`: click prediction with and without what cells have learned."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_bench.cli.audit import Format
from grasp_bench.cli.options import (
    DEFAULT_RESULTS,
    DEFAULT_STORE,
    Overrides,
    ResultsPath,
    SpecPath,
    StorePath,
)
from grasp_bench.cli.output import console, note, say_json


def probe(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: Annotated[
        Path, typer.Option("--leaderboard", metavar="FOLDER", help="Where the table is rendered to.")
    ] = Path("leaderboard"),
    only: Annotated[
        str, typer.Option("--only", metavar="GLOB", help="Cells whose slug matches, e.g. '*-s42'.")
    ] = "*",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which users teach, and which items.")] = 0,
    users: Annotated[int, typer.Option("--users", min=4, help="Users at most, drawn by seed.")] = 50_000,
    format: Annotated[Format, typer.Option("--format", help="How it is printed.")] = Format.rich,
) -> None:
    """Predict clicks on held-out pairs by logistic regression and a small MLP, with and without states.

    Reads the test targets, as a ranking does; the probes' settings are fixed.
    """
    from grasp_bench.core import atomic
    from grasp_bench.core.store import Store
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.fingerprints import Fingerprints, cache_file
    from grasp_bench.report.renderers.markdown import document_text
    from grasp_bench.spec.loading import load
    from grasp_bench.studies.probe import probe_cells
    from grasp_bench.studies.probe_layout import lay_out_probes

    plan = compile_plan(load(spec, overrides).experiment, Fingerprints(cache_file(store)))
    found = probe_cells(plan, plan.only(only), Store(store), note, seed, users)
    document = lay_out_probes(found)
    written = results / plan.name / "probe.json"
    rendered = leaderboard / f"{plan.name}.probe.md"
    atomic.write_json(written, found)
    atomic.write_text(rendered, document_text(document))
    if format is Format.json:
        say_json(found)
    else:
        from grasp_bench.report.renderers.terminal import show

        show(document, console())
    note(f"whole table: {rendered}, {written}")
