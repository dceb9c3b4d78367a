"""Commands that train: `run` and `tune`."""

from __future__ import annotations

import signal
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grasp_bench.cli.data import prepare_for_run
from grasp_bench.cli.options import (
    DEFAULT_LEADERBOARD,
    DEFAULT_RESULTS,
    DEFAULT_STORE,
    DatasetOption,
    LeaderboardPath,
    Overrides,
    ResultsPath,
    SpecPath,
    StorePath,
    load_for,
)
from grasp_bench.cli.output import console, log_in_json, note, note_message
from grasp_bench.cli.plan import Device
from grasp_bench.core.errors import RunFailedError

if TYPE_CHECKING:
    from grasp_bench.api import RunResult
    from grasp_bench.engine.run import Outcome


class LogFormat(StrEnum):
    """Format of progress on stderr."""

    auto = "auto"
    rich = "rich"
    plain = "plain"
    json = "json"


class ExecutorName(StrEnum):
    """Executors of stages."""

    process_pool = "process_pool"
    in_process = "in_process"
    ray = "ray"


def run(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: LeaderboardPath = DEFAULT_LEADERBOARD,
    dataset: DatasetOption = None,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare", help="Download and prepare a public dataset, unless it exists with its texts."
        ),
    ] = False,
    only: Annotated[
        str, typer.Option("--only", metavar="GLOB", help="Cells whose slug matches, e.g. '*-grasp-*'.")
    ] = "*",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Worker processes; by default one a GPU or core.")
    ] = None,
    device: Annotated[Device, typer.Option("--device", help="Where models run.")] = Device.auto,
    executor: Annotated[
        ExecutorName, typer.Option("--executor", help="Worker processes, this process for debugging, or Ray.")
    ] = ExecutorName.process_pool,
    memory: Annotated[
        int, typer.Option("--memory", min=16, metavar="MB", help="Memory limit of one block of scores.")
    ] = 512,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Format of progress.")
    ] = LogFormat.auto,
    trackers: Annotated[
        list[str],
        typer.Option(
            "--tracker",
            metavar="NAME[=WHERE]",
            help="Log every cell to tensorboard (a folder), wandb (a project) or mlflow (a URI); may be "
            "repeated.",
        ),
    ] = [],  # noqa: B006 - as above
) -> None:
    """Run the unfinished cells of a spec and print the leaderboard.

    A failed cell does not stop the others and gives exit code 6. The same command resumes after an interrupt
    or a failure, and does nothing when all cells are finished.
    """
    if log_format is LogFormat.json:
        log_in_json()
    from grasp_bench import api
    from grasp_bench.engine.trackers.registry import open_trackers
    from grasp_bench.spec.demo import mark_of

    loaded = load_for(spec, overrides, dataset)
    opened = open_trackers(trackers, store / "trackers")  # a wrong name stops before anything runs
    if prepare and dataset is None:
        prepare_for_run(loaded.experiment.dataset.source)
    whole = api.plan(loaded, store=store)
    if loaded.experiment.tuning is not None:
        note("note: `tuning:` is not searched by `run` but by `tune`; the cells use the values in the spec")
    # Schedulers stop a job by SIGTERM: save as after Ctrl-C, so that the next run can resume.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ran = api.run(
        loaded, whole, store=store, results=results, leaderboard=leaderboard, only=only,
        device=device.value, workers=workers, executor=executor.value, memory_mb=memory,
        display=log_format.value, trackers=opened, tell=note,
    )  # fmt: skip
    _show(ran)
    for line in ran.warnings:
        note(f"warning: {line}")
    if mark := mark_of(loaded.experiment):
        note(f"{mark} Its board is {whole.name}, not {spec.stem}.")
    outcome = ran.outcome
    if outcome.failed:
        _tell_failures(outcome)
        raise RunFailedError(
            f"{len(outcome.failed)} of {len(outcome.failed) + len(outcome.finished)} cells failed",
            hint="see above; the same command keeps what is finished and tries the rest again",
        )


def _show(ran: RunResult) -> None:
    """Print the head of the board and the files of the whole board."""
    from grasp_bench.report.board import load_board
    from grasp_bench.report.layout import headline, lay_out
    from grasp_bench.report.renderers.terminal import show

    if ran.stale:
        names = ", ".join(path.name for path in ran.stale)
        note(f"note: in {ran.results}, but not asked for by the spec and not counted: {names}")
    if ran.boards:
        show(headline(lay_out(load_board(ran.results))), console())
        note(f"whole board: {', '.join(str(path) for path in ran.boards)}")


def _tell_failures(outcome: Outcome) -> None:
    for failure in outcome.failures:
        note_message(f"failed: {failure.node.stage} ({failure.node.label}): {failure.message}")
        if failure.hint:
            note_message(f"  hint: {failure.hint}")
        if failure.report:
            note(f"  traceback: {failure.report}")
        slugs = [slug for slug, cause in outcome.failed.items() if cause is failure]
        note(f"  cells without a result: {', '.join(slugs)}")


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

    With `tuning: {each: method}` every compared method is searched, all with the same number of trials.

    The same command goes on after an interrupt; started on several machines with one --storage, all work at
    one search. What trainings the store has is reused, and a later `run` reuses those of the search.
    """
    from grasp_bench.core import machine
    from grasp_bench.core.machine import require
    from grasp_bench.spec.loading import load

    require("optuna", extra="tune")
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.tuning.best_spec import refuse_existing, write_best_spec, write_tuned_spec
    from grasp_bench.studies.tuning.methods import tune_methods
    from grasp_bench.studies.tuning.methods_report import lay_out_method_tuning
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
    options = SearchOptions(
        store, results, leaderboard, devices, trials, storage, study, memory, log_format.value
    )
    asked, name = loaded.experiment.tuning, loaded.experiment.name
    write: Callable[[Path], None]
    if asked is not None and asked.each is not None:
        methods = tune_methods(loaded, options)
        document, kind = lay_out_method_tuning(methods), "method_tuning"
        write = partial(write_tuned_spec, loaded=loaded, found=methods)
    else:
        found = tune(loaded, options)
        document, kind = lay_out_tuning(found), "tuning"
        write = partial(write_best_spec, loaded=loaded, found=found)
    show(document, console())
    note(f"written: {results / name / kind}.json, {leaderboard / name}.{kind}.md")
    if write_spec is not None:
        write(write_spec)
        note(f"written: {write_spec}; next: grasp-bench run {write_spec}")
