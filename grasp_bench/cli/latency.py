"""`grasp-bench latency`: what one request costs, against the bare backbone."""

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


def latency(
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
    requests: Annotated[int, typer.Option("--requests", min=2, help="Requests a cell.")] = 300,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads of a request.")] = 1,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Requests at once, for throughput.")] = 64,
    cold: Annotated[
        int, typer.Option("--cold", min=0, help="Fresh processes a cell and path; 0: no cold starts.")
    ] = 5,
    format: Annotated[Format, typer.Option("--format", help="How it is printed.")] = Format.rich,
) -> None:
    """Time single requests of trained cells, and say whether "under 1 ms extra a request" holds.

    Each cell takes turns with the bare backbone of the same seed, on the same requests: with all of users
    precomputed, with their neighbours searched in the request, and with their text encoded in it.
    """
    from grasp_bench.core import atomic
    from grasp_bench.core.store import Store
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.fingerprints import Fingerprints, cache_file
    from grasp_bench.report.renderers.markdown import document_text
    from grasp_bench.spec.loading import load
    from grasp_bench.studies.latency import Measure, measure_latency
    from grasp_bench.studies.latency_layout import lay_out_latency

    plan = compile_plan(load(spec, overrides).experiment, Fingerprints(cache_file(store)))
    measure = Measure(requests=requests, threads=threads, batch_size=batch, cold=cold)
    found = measure_latency(plan, plan.only(only), Store(store), measure, note)
    document = lay_out_latency(found)
    written = results / plan.name / "latency.json"
    rendered = leaderboard / f"{plan.name}.latency.md"
    atomic.write_json(written, found)
    atomic.write_text(rendered, document_text(document))
    if format is Format.json:
        say_json(found)
    else:
        from grasp_bench.report.renderers.terminal import show

        show(document, console())
    note(f"whole table: {rendered}, {written}")
