"""`grasp-bench export`: runs, programs and vectors that other tools can read and check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from grasp_bench.cli.options import DEFAULT_STORE, OnlyOption, Overrides, Protocol, SpecPath, StorePath
from grasp_bench.cli.output import note, say
from grasp_bench.cli.plan import Device
from grasp_bench.cli.studies import plan_of
from grasp_bench.core.errors import StoreError

if TYPE_CHECKING:
    from grasp_bench.studies.export.runs import Exported


app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
DEFAULT_FOLDER = Path("exports")


@app.callback()
def export() -> None:
    """Write what other tools can read: runs and qrels for trec_eval, ir_measures, ranx; trained models."""


@app.command("runs")
def runs(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    only: OnlyOption = "*",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to; by default exports/<spec>.")
    ] = None,
    protocol: Annotated[
        Protocol, typer.Option("--protocol", help="Ranking among sampled negatives, or of the catalogue.")
    ] = "sampled",
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", min=1, metavar="K",
            help="Items a user; else all sampled candidates, or the highest cutoff of the full ranking.",
        ),
    ] = None,
    packed: Annotated[bool, typer.Option("--gzip", help="Pack the runs.")] = False,
    device: Annotated[Device, typer.Option("--device", help="Where scores are computed.")] = Device.cpu,
) -> None:  # fmt: skip
    """Write a run a cell, and the qrels, in TREC's formats; scores are computed again from the store.

    Beside each run, `<run>.json` says what it should give, and what ties may change (docs/boards.md).
    """
    from grasp_bench.core import machine
    from grasp_bench.core.progress import silent
    from grasp_bench.core.store import Store
    from grasp_bench.plan.selection import status
    from grasp_bench.stages.context import RunContext
    from grasp_bench.studies.export.runs import RunOptions, export_cell

    plan = plan_of(spec, overrides, store).only(only)
    done = {cell.slug for cell in status(plan, Store(store)).done}
    if not done:
        raise StoreError(
            f"{store}: no cell of {plan.name} is finished", hint="grasp-bench run the spec first"
        )
    folder = to or DEFAULT_FOLDER / plan.name
    context = RunContext(machine.devices(device.value)[0], machine.cores(), silent)
    for cell in plan.cells:
        if cell.slug not in done:
            note(f"left out: {cell.slug} is not finished")
        elif cell.kind == "imported":
            note(f"left out: {cell.slug} is an imported run: use the file that it was imported from")
        else:
            asked = RunOptions(protocol, depth, packed)
            _report(export_cell(cell, Store(store), folder, asked, context))


def _report(exported: Exported) -> None:
    facts = exported.facts
    say(f"{exported.run}: {facts['users']:,} users, {facts['lines']:,} lines; qrels {exported.qrels.name}")
    if facts["users_unlike_stored"]:
        note(
            f"note: {facts['users_unlike_stored']:,} of {facts['users']:,} users rank otherwise than when "
            "the cell was made: scores round otherwise on another machine, by other libraries or threads"
        )
    if facts["tied_users"]:
        note(
            f"note: {facts['tied_users']:,} targets tie with others; tools break ties by id, the board takes "
            f"'{facts['ties']}' (docs/boards.md)"
        )


@app.command("split")
def split(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to; by default exports/<spec>/split.")
    ] = None,
) -> None:
    """Write training, validation, test and candidates of each dataset as CSV, for another library.

    Its scores come back as a row of the board by `imported:` (docs/boards.md).
    """
    from grasp_bench.core.store import Store
    from grasp_bench.studies.export.split import export_split

    plan = plan_of(spec, overrides, store)
    first = {cell.nodes["candidates"].hash: cell for cell in reversed(plan.cells)}
    root = to or DEFAULT_FOLDER / plan.name / "split"
    for place, cell in enumerate(reversed(first.values()), 1):
        exported = export_split(cell, Store(store), root if len(first) == 1 else root / f"dataset_{place}")
        said = ", ".join(f"{name} {rows:,}" for name, rows in exported.rows.items())
        say(f"{exported.folder}: {cell.dataset}: {said} rows")


CellOption = Annotated[str, typer.Option("--cell", metavar="SLUG", help="A trained cell of the spec.")]
OutOption = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to.")]


@app.command("scorer")
def scorer(
    spec: SpecPath,
    cell: CellOption,
    out: OutOption,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write a trained cell as programs that torch runs without this package, and check what they answer."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.export.scorer import export_scorer
    from grasp_bench.studies.serving import cell_named

    plan = plan_of(spec, overrides, store)
    manifest = export_scorer(cell_named(plan, cell), plan.name, Store(store), out)
    checked = manifest["checked"]
    say(
        f"{out}: {', '.join(sorted(manifest['files']))}; scores of {checked['users']} users are the "
        f"harness's (largest difference {checked['largest_difference']:.1g})"
    )


@app.command("embeddings")
def embeddings(
    spec: SpecPath,
    cell: CellOption,
    out: OutOption,
    kind: Annotated[
        Literal["users", "items", "both"],
        typer.Option("--kind", help="States of users, vectors of items, or both."),
    ] = "both",
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write what a trained cell has learned of users and items as Parquet, with their ids.

    A user's state is the one behind the training and validation items; the test item is never read.
    """
    from grasp_bench.core.store import Store
    from grasp_bench.studies.export.embeddings import export_embeddings
    from grasp_bench.studies.serving import cell_named

    plan = plan_of(spec, overrides, store)
    for table in export_embeddings(cell_named(plan, cell), plan.name, Store(store), out, kind):
        say(f"{table.path}: {table.rows:,} rows of {table.width}")
        if "users_averaged" in table.metadata:
            share = 100 * float(table.metadata["overlap@10"])
            note(
                f"note: users see items differently; written is {table.metadata['vectors']}. Of the model's "
                f"ten best items for a user {share:.0f} % come first by these vectors, too"
            )
