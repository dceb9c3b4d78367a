"""`grasp-bench validate`: print all problems of specs, or the number of their cells."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import typer

from grasp_bench.cli.options import Overrides, SpecPaths, load_for
from grasp_bench.cli.output import note, report_error, say
from grasp_bench.core.errors import DataError, GraspBenchError, MissingFileError

if TYPE_CHECKING:
    from grasp_bench.spec.loading import LoadedSpec


def validate(
    specs: SpecPaths,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
) -> None:
    """Check specs without running anything; print one line each, or all problems with line and column."""
    worst = 0
    for path in specs:
        try:
            loaded = load_for(path, overrides, None)
            experiment = loaded.experiment
            cells = _count_cells(loaded)
        except GraspBenchError as error:
            worst = max(worst, report_error(error))
        else:
            say(f"ok: {experiment.name}, {cells}")
    if worst:
        raise typer.Exit(worst)


def _count_cells(loaded: LoadedSpec) -> str:
    """Count the cells of the compiled plan; without the data, the most that there can be."""
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.selection import first_seeds
    from grasp_bench.spec.paths import at_its_place

    experiment = loaded.experiment
    try:
        # Files are distinguished by path: hashing their content would take seconds.
        with at_its_place(loaded.tree):
            whole = compile_plan(experiment, str)
    except (DataError, MissingFileError) as error:
        note(f"note: {error.message} (needed to run, not to validate)")
        compared = prod(len(values) for values in experiment.compare.values())
        return f"at most {compared * (1 + len(experiment.ablations)) * len(experiment.all_seeds)} cells"
    cells, most = len(first_seeds(whole, experiment).cells), len(whole.cells)
    more = f", at most {most} until it is decided" if most > cells else ""
    return f"{cells} cell{'' if cells == 1 else 's'}{more}"
