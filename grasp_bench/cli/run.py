"""`grasp-bench run`: from one YAML file to a leaderboard."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grasp_bench.cli.data_prepare import prepare_for_run
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
    from grasp_bench.engine.run import Outcome
    from grasp_bench.plan.compile import Plan


class LogFormat(StrEnum):
    """How progress is told, on stderr."""

    auto = "auto"
    rich = "rich"
    plain = "plain"
    json = "json"


class ExecutorName(StrEnum):
    """Where stages run."""

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
            "--prepare", help="Fetch and prepare a public dataset that is not there with its texts."
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
        int, typer.Option("--memory", min=16, metavar="MB", help="What one block of scores may take.")
    ] = 512,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="Progress.")] = LogFormat.auto,
    trackers: Annotated[
        list[str],
        typer.Option(
            "--tracker",
            metavar="NAME[=WHERE]",
            help="Tell tensorboard (a folder), wandb (a project) or mlflow (a URI) of every cell; may be "
            "repeated.",
        ),
    ] = [],  # noqa: B006 - as above
) -> None:
    """Make what is not there yet, and print the leaderboard.

    One failed cell does not stop the others (exit code 6 tells); the same command goes on after an
    interrupt or a failure, and does nothing when all is there.
    """
    if log_format is LogFormat.json:
        log_in_json()
    from grasp_bench.core.store import Store
    from grasp_bench.engine.preflight import check_prices
    from grasp_bench.engine.run import RunConfig, worker_devices
    from grasp_bench.engine.substitutions import warnings
    from grasp_bench.engine.trackers.registry import open_trackers
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.fingerprints import Fingerprints, cache_file
    from grasp_bench.spec.placing import at_its_place
    from grasp_bench.spec.rehearsal import mark_of
    from grasp_bench.studies.running import run_study

    loaded = load_for(spec, overrides, dataset)
    experiment = loaded.experiment
    opened = open_trackers(trackers, store / "trackers")  # a wrong name stops before anything is made
    if prepare and dataset is None:
        prepare_for_run(experiment.dataset.source)
    with at_its_place(loaded.tree):
        whole = compile_plan(experiment, Fingerprints(cache_file(store)))
    check_prices(whole.nodes, loaded.sources)
    if experiment.tuning is not None:
        note("note: `tuning:` is not searched by `run` but by `tune`; the cells use the values in the spec")
    shop = RunConfig(
        store=store,
        results=results,
        devices=worker_devices(whole, device.value, 1 if executor is ExecutorName.in_process else workers),
        executor=executor.value,
        log_format=log_format.value,
        memory_mb=memory,
        trackers=opened,
    )
    # A scheduler's way to say stop: save like after Ctrl-C, so that the next run can resume.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ran = run_study(loaded, whole, only, shop, note)
    outcome = ran.outcome
    _report(ran.planned, results, leaderboard)
    for line in warnings(ran.chosen.nodes, Store(store)):
        note(f"warning: {line}")
    if mark := mark_of(experiment):
        note(f"{mark} Its board is {whole.name}, not {spec.stem}.")
    if outcome.failed:
        _tell_failures(outcome)
        raise RunFailedError(
            f"{len(outcome.failed)} of {len(outcome.failed) + len(outcome.finished)} cells failed",
            mend="see above; the same command keeps what is finished and tries the rest again",
        )


def _report(plan: Plan, results: Path, leaderboard: Path) -> None:
    """Render the whole board to files and print its head."""
    from grasp_bench.engine.publish import stale_folders
    from grasp_bench.report.board import load_board
    from grasp_bench.report.cells import cell_folders
    from grasp_bench.report.layout import headline, lay_out
    from grasp_bench.report.renderers.registry import render_all
    from grasp_bench.report.renderers.terminal import show

    folder = results / plan.name
    stale = stale_folders(results, plan.name, {cell.slug for cell in plan.cells})
    if stale:
        names = ", ".join(path.name for path in stale)
        note(f"note: in {folder}, but not asked for by the spec and not counted: {names}")
    if cell_folders(folder):
        written = render_all(folder, leaderboard)
        show(headline(lay_out(load_board(folder))), console())
        note(f"whole board: {', '.join(str(path) for path in written)}")


def _tell_failures(outcome: Outcome) -> None:
    for failure in outcome.failures:
        note_message(f"failed: {failure.node.stage} ({failure.node.label}): {failure.message}")
        if failure.mend:
            note_message(f"  mend: {failure.mend}")
        if failure.report:
            note(f"  traceback: {failure.report}")
        slugs = [slug for slug, cause in outcome.failed.items() if cause is failure]
        note(f"  cells without a result: {', '.join(slugs)}")
