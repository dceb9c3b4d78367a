"""`grasp-bench tune`: search settings on validation, and write the spec of the winner."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from grasp_bench.cli.options import (
    DEFAULT_LEADERBOARD,
    DEFAULT_RESULTS,
    DEFAULT_STORE,
    LeaderboardPath,
    Overrides,
    ResultsPath,
    SpecPath,
    StorePath,
)
from grasp_bench.cli.output import console, note
from grasp_bench.cli.plan import Device
from grasp_bench.cli.run import LogFormat


def tune(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: LeaderboardPath = DEFAULT_LEADERBOARD,
    trials: Annotated[
        int | None,
        typer.Option("--trials", min=1, help="How many in all, instead of the spec's; found ones count."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Worker processes; by default one a GPU or core.")
    ] = None,
    device: Annotated[Device, typer.Option("--device", help="Where models run.")] = Device.auto,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage", metavar="FILE|URL",
            help="A journal file, or a database that Optuna knows; by default a journal in the store.",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option("--study", metavar="NAME", help="The search's name there; by default of what it asks."),
    ] = None,
    write_spec: Annotated[
        Path | None, typer.Option("--write-spec", metavar="FILE", help="Write the winner as a spec to run.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Let --write-spec replace a file.")
    ] = False,
    memory: Annotated[
        int, typer.Option("--memory", min=16, metavar="MB", help="What one block of scores may take.")
    ] = 512,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="Progress.")] = LogFormat.auto,
) -> None:  # fmt: skip
    """Search the keys of `tuning.space` for the best validation value; no test item is read.

    The same command goes on after an interrupt; started on several machines with one --storage, all work at
    one search. What trainings the store has is reused, and a later `run` reuses those of the search.
    """
    from grasp_bench.core import machine
    from grasp_bench.core.extras import require
    from grasp_bench.spec.loading import load

    require("optuna", extra="tune")
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.tuning.best_spec import refuse_existing, write_best_spec
    from grasp_bench.studies.tuning.report import lay_out_tuning
    from grasp_bench.studies.tuning.search import SearchOptions, tune

    loaded = load(spec, overrides)
    if write_spec is not None and not overwrite:
        refuse_existing(write_spec)
    found_devices = machine.devices(device.value)
    count = workers or (len(found_devices) if found_devices != ["cpu"] else machine.cores())
    devices = tuple(found_devices[place % len(found_devices)] for place in range(count))
    # A scheduler's way to say stop: save like after Ctrl-C, so that the next command can resume.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    found = tune(
        loaded,
        SearchOptions(store, results, leaderboard, devices, trials, storage, study, memory, log_format.value),
    )
    show(lay_out_tuning(found), console())
    note(f"written: {results / found['spec'] / 'tuning.json'}, {leaderboard / found['spec']}.tuning.md")
    if write_spec is not None:
        write_best_spec(write_spec, loaded, found)
        note(f"written: {write_spec}; next: grasp-bench run {write_spec}")
