"""Python API: load a spec, plan it, run it, read its board, write its report.

The functions print nothing (`run` shows bars in a notebook), install no signal handler and never exit; errors
are those of `core.errors`. The command line is a layer over them. Importing this module imports no torch.

Example:
    >>> from grasp_bench import api
    >>> loaded = api.load("specs/demo.yaml", ["seeds=[1]"])
    >>> ran = api.run(loaded, api.plan(loaded))
    >>> board = api.board("demo")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grasp_bench.engine.run import Outcome
    from grasp_bench.engine.trackers.registry import Tracker
    from grasp_bench.plan.compile import Plan
    from grasp_bench.plan.estimate import Estimate
    from grasp_bench.plan.local_models import Asked
    from grasp_bench.plan.selection import Status
    from grasp_bench.report.schema import Board
    from grasp_bench.spec.loading import LoadedSpec

STORE = Path(".grasp_bench")
RESULTS = Path("results")
LEADERBOARD = Path("leaderboard")


def load(spec: Path | str, overrides: Sequence[str] = (), *, demo: bool = False) -> LoadedSpec:
    """Read and check a spec file and the templates that it names.

    `overrides` are "dotted.key=value". `demo` replaces the dataset by the generated catalogue and shrinks the
    study. Raises SpecError with every problem at its line.

    Example:
        >>> api.load("specs/demo.yaml", ["training.lr=1e-4"]).experiment.training.lr
        0.0001
    """
    from grasp_bench.spec.demo import load_demo
    from grasp_bench.spec.loading import load as load_spec
    from grasp_bench.text.checking import check_templates

    path = Path(spec)
    loaded = load_demo(path, list(overrides)) if demo else load_spec(path, list(overrides))
    check_templates(loaded)
    return loaded


def plan(loaded: LoadedSpec, *, store: Path = STORE) -> Plan:
    """Compile a spec to cells and stages; the hashes of the dataset's files are cached in `store`.

    Raises MissingFileError for absent files, SpecError for a paid model without a price.

    Example:
        >>> whole = api.plan(api.load("specs/demo.yaml"))
        >>> [cell.slug for cell in whole.cells]
    """
    from grasp_bench.engine.diagnostics import check_prices
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.fingerprints import Fingerprints, cache_file
    from grasp_bench.spec.locations import at_its_place

    with at_its_place(loaded.tree):
        whole = compile_plan(loaded.experiment, Fingerprints(cache_file(store)))
    check_prices(whole.nodes, loaded.sources)
    return whole


@dataclass(frozen=True)
class Forecast:
    """The work of a run: the `chosen` cells, their status, and an estimate of the rest on `devices`."""

    chosen: Plan
    status: Status
    estimate: Estimate
    devices: tuple[str, ...]


def forecast(
    loaded: LoadedSpec, whole: Plan, *, store: Path = STORE, only: str = "*",
    device: str = "auto", workers: int | None = None, asked: Mapping[str, Asked] | None = None,
) -> Forecast:  # fmt: skip
    """Compare a plan with the store and estimate the remaining work; run nothing.

    `only` is a glob over the cells' slugs, `device` "auto", "cpu" or "cuda". `asked` are counted requests of
    models in this process, by node.

    Example:
        >>> loaded = api.load("specs/demo.yaml")
        >>> api.forecast(loaded, api.plan(loaded)).estimate.seconds
    """
    from grasp_bench.core.store import Store
    from grasp_bench.engine.run import worker_devices
    from grasp_bench.plan.estimate import estimate
    from grasp_bench.plan.selection import seeds_begun, status

    kept = Store(store)
    devices = worker_devices(whole, device, workers)
    chosen = seeds_begun(whole, loaded.experiment, kept).only(only)
    now = status(chosen, kept)
    guess = estimate(chosen, now.to_run, kept, len(devices), devices[0], asked)
    return Forecast(chosen, now, guess, devices)


@dataclass(frozen=True, repr=False)
class RunResult:
    """The result of a run; its repr is what a notebook shows of it.

    Attributes:
        planned: the whole plan, seeds that were added included.
        outcome: finished cells, and the failure of each of the others.
        warnings: substitutions that change the meaning of figures, and figures of edited source.
        stale: result folders that are not in the plan and on no board.
        boards: the rendered boards; empty if no cell is finished.
        results: the folder of the study's results.
    """

    planned: Plan
    outcome: Outcome
    warnings: tuple[str, ...]
    stale: tuple[Path, ...]
    boards: tuple[Path, ...]
    results: Path

    def __repr__(self) -> str:
        """Count the cells, and name each failure and warning on a line."""
        from grasp_bench.core.shown import shown_line

        finished, failed = len(self.outcome.finished), len(self.outcome.failed)
        lines = [f"{self.results}: {finished} of {finished + failed} cells finished"]
        lines += [f"failed: {failure.node.label}: {failure.message}" for failure in self.outcome.failures]
        return "\n".join(map(shown_line, [*lines, *(f"warning: {line}" for line in self.warnings)]))


def run(
    loaded: LoadedSpec, whole: Plan, *,
    store: Path = STORE, results: Path = RESULTS, leaderboard: Path = LEADERBOARD, only: str = "*",
    device: str = "auto", workers: int | None = None, executor: str = "process_pool", memory_mb: int = 512,
    display: str = "notebook", trackers: Mapping[str, Tracker] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> RunResult:  # fmt: skip
    """Run the cells that are not finished, publish each in `results`, and render the board.

    Args:
        only: a glob over the cells' slugs.
        workers: worker processes; by default one a GPU or core.
        executor: "process_pool", "in_process" or "ray".
        memory_mb: memory limit of one block of scores.
        display: "notebook" (bars in a notebook, nothing elsewhere), "none", or progress on stderr as "auto",
            "rich", "plain" or "json".
        trackers: see `engine.trackers.registry.open_trackers`.
        tell: called with one line for each decision about further seeds.

    A failed cell does not stop the others. KeyboardInterrupt stops the workers; the same call resumes.

    Example:
        >>> loaded = api.load("specs/demo.yaml")
        >>> ran = api.run(loaded, api.plan(loaded), only="*-grasp-*")
        >>> print(*ran.boards)
    """
    from grasp_bench.core.store import Store
    from grasp_bench.engine.publish import stale_folders, warnings
    from grasp_bench.engine.run import RunConfig, worker_devices
    from grasp_bench.plan.source import note_of_source
    from grasp_bench.report.cells import cell_folders
    from grasp_bench.report.renderers.registry import render_all
    from grasp_bench.studies.running import run_study

    config = RunConfig(
        store=store,
        results=results,
        devices=worker_devices(whole, device, 1 if executor == "in_process" else workers),
        executor=executor,
        log_format=display,
        memory_mb=memory_mb,
        trackers=trackers or {},
    )
    ran = run_study(loaded, whole, only, config, tell)
    folder = results / ran.planned.name
    return RunResult(
        planned=ran.planned,
        outcome=ran.outcome,
        warnings=(*warnings(ran.chosen.nodes, Store(store)), *note_of_source(ran.chosen.nodes, Store(store))),
        stale=tuple(stale_folders(results, ran.planned.name, {cell.slug for cell in ran.planned.cells})),
        boards=tuple(render_all(folder, leaderboard)) if cell_folders(folder) else (),
        results=folder,
    )


def board(spec: str | None = None, *, results: Path = RESULTS, metric: str | None = None) -> Board:
    """Load the board of a spec's name, its file or a results folder; None is the only one in `results`.

    The board is computed from stored results. `metric` ("HR@20") is the tested one, by default the study's.

    Example:
        >>> api.board("demo", metric="HR@20")["rankings"]
    """
    from grasp_bench.report.board import load_board
    from grasp_bench.report.locate import find_results

    return load_board(find_results(spec, results), metric=metric)


def report(
    spec: str | None = None,
    *,
    out: Path | None = None,
    results: Path = RESULTS,
    leaderboard: Path = LEADERBOARD,
) -> Path:
    """Write all results of a spec as one HTML file that needs no network; return its path.

    Example:
        >>> api.report("demo", out=Path("demo.html"))
        PosixPath('demo.html')
    """
    from grasp_bench.report.locate import find_results
    from grasp_bench.report.page.render import write_report
    from grasp_bench.report.studies import FILES
    from grasp_bench.report.study import FILE

    return write_report(find_results(spec, results, (FILE, *FILES)), out, leaderboard)
