"""`grasp-bench inspect attention`: how trained cells weigh own, similar and global embeddings."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from grasp_bench.cli.findings import plan_of
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
from grasp_bench.cli.output import console, note, say_json, say_whole


class Format(StrEnum):
    """How an inspection is printed."""

    rich = "rich"
    md = "md"
    json = "json"


def attention(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: StorePath = DEFAULT_STORE,
    results: ResultsPath = DEFAULT_RESULTS,
    leaderboard: LeaderboardPath = DEFAULT_LEADERBOARD,
    cell: Annotated[
        str, typer.Option("--cell", metavar="GLOB", help="Trained cells whose slug matches; by default all.")
    ] = "*",
    user: Annotated[
        list[str], typer.Option("--user", metavar="ID", help="Show this user's history; may be repeated.")
    ] = [],  # noqa: B006
    sample: Annotated[
        int, typer.Option("--sample", min=0, metavar="N", help="Users that are drawn besides.")
    ] = 2,
    corrupt: Annotated[
        float,
        typer.Option(
            "--corrupt", min=0, max=1, metavar="RATE",
            help="Permute a share of both sides' embeddings behind the back of models trained on clean ones.",
        ),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which users are drawn, who is hit.")] = 0,
    output: Annotated[
        Format, typer.Option("--format", help="Tables for people, Markdown, JSON for programs.")
    ] = Format.rich,
) -> None:  # fmt: skip
    """Show attention weights of histories: spread, saturation, head and tail, corrupted context, heat maps.

    Where all cells are looked at as they are, results/<spec>/attention.json and
    leaderboard/<spec>.attention.md are written, too.
    """
    from grasp_bench.core import atomic
    from grasp_bench.core.store import Store
    from grasp_bench.report.renderers.markdown import document_text
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.attention.heat_maps import Asking
    from grasp_bench.studies.attention.inspection import Asked, inspect_attention, write_attention
    from grasp_bench.studies.attention.report import lay_out_attention
    from grasp_bench.studies.attention.terminal import show_heat_maps

    plan = plan_of(spec, overrides, store)
    found = inspect_attention(plan, Store(store), Asked(cell, Asking(user, sample, seed), corrupt, seed))
    document = lay_out_attention(found)
    text = document_text(document)
    if cell == "*" and not corrupt:
        rendered = leaderboard / f"{plan.name}.attention.md"
        atomic.write_text(rendered, text)
        note(f"whole inspection: {rendered}, {write_attention(found, results)}")
    if output is Format.json:
        say_json(found)
    elif output is Format.md:
        say_whole(text)
    else:
        show(document.unfolded, console())
        show_heat_maps(found, console())
