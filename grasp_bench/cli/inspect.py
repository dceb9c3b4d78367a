"""`grasp-bench inspect`: look at texts, neighbours and attention before believing in them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grasp_bench.cli.freshness import freshness
from grasp_bench.cli.inspect_attention import attention
from grasp_bench.cli.options import (
    DEFAULT_RESULTS,
    DEFAULT_STORE,
    Overrides,
    ResultsPath,
    SpecPath,
    StorePath,
)
from grasp_bench.cli.output import console, say_json

if TYPE_CHECKING:
    from grasp_bench.plan.compile import Plan

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
app.command("freshness")(freshness)


class Side(StrEnum):
    """Whose texts."""

    users = "users"
    items = "items"


class Format(StrEnum):
    """How an inspection is printed."""

    rich = "rich"
    json = "json"


SideOption = Annotated[Side, typer.Option("--side", help="Users or items.")]
CellOption = Annotated[
    str | None, typer.Option("--cell", metavar="SLUG", help="A cell of the spec; the first that has text.")
]
SampleOption = Annotated[int, typer.Option("--sample", min=0, metavar="N", help="Entities shown.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Which entities, and random partners.")]
FormatOption = Annotated[Format, typer.Option("--format", help="Tables for people, JSON for programs.")]


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
    output: FormatOption = Format.rich,
) -> None:
    """Show sampled texts, their statistics, claims without ground, and held-out items that they tell of."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.opening import open_texts
    from grasp_bench.studies.text_inspection import inspect_text
    from grasp_bench.studies.wording import as_json

    opened = open_texts(_plan(spec, overrides, store), Store(store), side.value, cell)
    found = inspect_text(opened, sample, seed)
    if output is Format.json:
        say_json(as_json(found))
        return
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.text_layout import lay_out_text

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
    output: FormatOption = Format.rich,
) -> None:
    """Show sampled neighbours, their agreement with behaviour against random partners, hubs and clones."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.neighbour_inspection import inspect_neighbours
    from grasp_bench.studies.opening import open_neighbours
    from grasp_bench.studies.wording import as_json

    opened = open_neighbours(_plan(spec, overrides, store), Store(store), side.value, cell)
    found = inspect_neighbours(opened, sample, seed)
    if output is Format.json:
        say_json(as_json(found))
        return
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.neighbour_layout import lay_out_neighbours

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
    output: FormatOption = Format.rich,
) -> None:
    """Compare the texts of a spec: overlap of the neighbours they lead to, metrics of their cells."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.prompt_sensitivity import compare_prompts
    from grasp_bench.studies.wording import as_json

    found = compare_prompts(_plan(spec, overrides, store), Store(store), results, persistence)
    if output is Format.json:
        say_json(as_json(found))
        return
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.prompt_layout import lay_out_prompts

    show(lay_out_prompts(found), console())


app.command("attention")(attention)


def _plan(spec: Path, overrides: list[str], store: Path) -> Plan:
    from grasp_bench.plan.compile import compile_plan
    from grasp_bench.plan.fingerprints import Fingerprints, cache_file
    from grasp_bench.spec.loading import load

    return compile_plan(load(spec, overrides).experiment, Fingerprints(cache_file(store)))
