"""`grasp-bench inspect`: look at texts, neighbours and attention before believing in them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from grasp_bench.cli.findings import plan_of
from grasp_bench.cli.freshness import freshness
from grasp_bench.cli.inspect_attention import attention
from grasp_bench.cli.options import (
    DEFAULT_RESULTS,
    DEFAULT_STORE,
    FormatOption,
    Overrides,
    ResultsPath,
    SpecPath,
    StorePath,
    TableFormat,
)
from grasp_bench.cli.output import console, say_json

if TYPE_CHECKING:
    pass

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
app.command("freshness")(freshness)


class Side(StrEnum):
    """Whose texts."""

    users = "users"
    items = "items"


SideOption = Annotated[Side, typer.Option("--side", help="Users or items.")]
CellOption = Annotated[
    str | None, typer.Option("--cell", metavar="SLUG", help="A cell of the spec; the first that has text.")
]
SampleOption = Annotated[int, typer.Option("--sample", min=0, metavar="N", help="Entities shown.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Which entities, and random partners.")]


@app.callback()
def inspect() -> None:
    """Look at the texts, neighbours and attention of a spec that has been run."""


@app.command("text")
def text(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    side: SideOption = Side.items,
    cell: CellOption = None,
    sample: SampleOption = 5,
    seed: SeedOption = 0,
    output: FormatOption = TableFormat.rich,
) -> None:
    """Show sampled texts, their statistics, claims without ground, and held-out items that they tell of."""
    from grasp_bench.core.store import Store
    from grasp_bench.report.renderers.json_text import as_json
    from grasp_bench.studies.artifact_loading import open_texts
    from grasp_bench.studies.inspection.texts import inspect_text

    opened = open_texts(plan_of(spec, overrides, store), Store(store), side.value, cell)
    found = inspect_text(opened, sample, seed)
    if output is TableFormat.json:
        say_json(as_json(found))
        return
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.inspection.layout import lay_out_text

    show(lay_out_text(found), console())


@app.command("neighbours")
def neighbours(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    side: SideOption = Side.items,
    cell: CellOption = None,
    sample: SampleOption = 5,
    seed: SeedOption = 0,
    output: FormatOption = TableFormat.rich,
) -> None:
    """Show sampled neighbours, their agreement with behaviour against random partners, hubs and clones."""
    from grasp_bench.core.store import Store
    from grasp_bench.report.renderers.json_text import as_json
    from grasp_bench.studies.artifact_loading import open_neighbours
    from grasp_bench.studies.inspection.neighbours import inspect_neighbours

    opened = open_neighbours(plan_of(spec, overrides, store), Store(store), side.value, cell)
    found = inspect_neighbours(opened, sample, seed)
    if output is TableFormat.json:
        say_json(as_json(found))
        return
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.inspection.layout import lay_out_neighbours

    show(lay_out_neighbours(found), console())


@app.command("prompts")
def prompts(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    persistence: Annotated[
        float, typer.Option("--p", min=0.01, max=0.999, help="Persistence of rank-biased overlap.")
    ] = 0.9,
    output: FormatOption = TableFormat.rich,
) -> None:
    """Compare the texts of a spec: overlap of the neighbours they lead to, metrics of their cells."""
    from grasp_bench.core.store import Store
    from grasp_bench.report.renderers.json_text import as_json
    from grasp_bench.studies.prompts.compare import compare_prompts

    found = compare_prompts(plan_of(spec, overrides, store), Store(store), results, persistence)
    if output is TableFormat.json:
        say_json(as_json(found))
        return
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.prompts.layout import lay_out_prompts

    show(lay_out_prompts(found), console())


app.command("attention")(attention)
