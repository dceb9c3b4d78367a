"""`grasp-bench export`: what other tools can read and check."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grasp_bench.cli.export_trained import embeddings, scorer
from grasp_bench.cli.findings import plan_of
from grasp_bench.cli.options import DEFAULT_STORE, Overrides, SpecPath, StorePath
from grasp_bench.cli.output import note, say
from grasp_bench.core.errors import StoreError

if TYPE_CHECKING:
    from grasp_bench.studies.export.runs import Exported

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
DEFAULT_FOLDER = Path("exports")


class Protocol(StrEnum):
    """Which ranking is written."""

    sampled = "sampled"
    full = "full"


class Device(StrEnum):
    """Where scores are computed."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


@app.callback()
def export() -> None:
    """Write what other tools can read: runs and qrels for trec_eval, ir_measures, ranx; trained models."""


app.command("scorer")(scorer)
app.command("embeddings")(embeddings)


@app.command("runs")
def runs(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    only: Annotated[
        str, typer.Option("--only", metavar="GLOB", help="Cells whose slug matches, e.g. '*-grasp-*'.")
    ] = "*",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to; by default exports/<spec>.")
    ] = None,
    protocol: Annotated[
        Protocol, typer.Option("--protocol", help="Ranking among sampled negatives, or of the catalogue.")
    ] = Protocol.sampled,
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
    from grasp_bench.plan.status import status
    from grasp_bench.stages.context import RunContext
    from grasp_bench.studies.export.runs import Asked, export_cell

    plan = plan_of(spec, overrides, store).only(only)
    done = {cell.slug for cell in status(plan, Store(store)).done}
    if not done:
        raise StoreError(
            f"{store}: no cell of {plan.name} is finished", mend="grasp-bench run the spec first"
        )
    folder = to or DEFAULT_FOLDER / plan.name
    context = RunContext(machine.devices(device.value)[0], machine.cores(), silent)
    for cell in plan.cells:
        if cell.slug not in done:
            note(f"left out: {cell.slug} is not finished")
        elif cell.kind == "imported":
            note(f"left out: {cell.slug} is a run of somebody else's; it lies where it was imported from")
        else:
            asked = Asked(protocol.value, depth, packed)
            _tell(export_cell(cell, Store(store), folder, asked, context))


def _tell(exported: Exported) -> None:
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
