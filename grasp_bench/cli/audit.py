"""`grasp-bench audit`: which conclusions of a spec survive an honest protocol."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from grasp_bench.cli import options
from grasp_bench.cli.output import log_in_json, note
from grasp_bench.cli.plan import Device
from grasp_bench.cli.run import ExecutorName, LogFormat
from grasp_bench.cli.studies import display


def audit(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    leaderboard: options.LeaderboardPath = options.DEFAULT_LEADERBOARD,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Worker processes; by default one a GPU or core.")
    ] = None,
    device: Annotated[Device, typer.Option("--device", help="Where models run.")] = Device.auto,
    executor: Annotated[
        ExecutorName, typer.Option("--executor", help="Worker processes, this process for debugging, or Ray.")
    ] = ExecutorName.process_pool,
    memory: Annotated[
        int, typer.Option("--memory", min=16, metavar="MB", help="What one block of scores may take.")
    ] = 512,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="Progress.")] = LogFormat.auto,
    output: options.FormatOption = "rich",
) -> None:
    """Run a spec under the published and the strict protocol, and say which hypotheses hold under which.

    Where the data have times, also by a split in time. Each hazard of the published protocol is then
    switched on alone over the strict one. What is in the store is not computed again.
    """
    if log_format is LogFormat.json:
        log_in_json()
    from grasp_bench.core import atomic
    from grasp_bench.engine.run import RunConfig, worker_devices
    from grasp_bench.plan.fingerprints import Fingerprints, cache_file
    from grasp_bench.report.renderers.markdown import document_text
    from grasp_bench.studies.audit.compare import run_audit
    from grasp_bench.studies.audit.layout import lay_out_audit
    from grasp_bench.studies.audit.variants import (
        BASE,
        hazard_variants,
        protocol_variants,
        protocols_that_fit,
    )

    fingerprints = Fingerprints(cache_file(store))
    variants = protocol_variants(spec, overrides, protocols_that_fit(spec, overrides), fingerprints)
    base = next(variant for variant in variants if variant.name == BASE)
    hazards = list(hazard_variants(spec, overrides, base, fingerprints))
    config = RunConfig(
        store=store,
        results=results,
        devices=worker_devices(
            base.plan, device.value, 1 if executor is ExecutorName.in_process else workers
        ),
        executor=executor.value,
        log_format=log_format.value,
        memory_mb=memory,
    )
    # A scheduler's way to say stop: save like after Ctrl-C, so that the next run can resume.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = run_audit(variants, hazards, config, note)
    document = lay_out_audit(found)
    rendered = leaderboard / f"{found.name}.audit.md"
    atomic.write_text(rendered, document_text(document))
    display(found, document, output)
    note(f"whole audit: {rendered}, {results / found.name / 'audit.json'}")
