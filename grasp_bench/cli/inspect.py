"""`grasp-bench inspect`: texts, neighbours, codes, prompts and attention of a spec that has been run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from grasp_bench.cli import options
from grasp_bench.cli.output import console, say_json, say_whole
from grasp_bench.cli.studies import display, freshness, leave, plan_of

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)
app.command("freshness")(freshness)


SideOption = Annotated[Literal["users", "items"], typer.Option("--side", help="Users or items.")]
CellOption = Annotated[
    str | None, typer.Option("--cell", metavar="SLUG", help="A cell of the spec; the first that has text.")
]
SampleOption = Annotated[int, typer.Option("--sample", min=0, metavar="N", help="Entities shown.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Which entities, and random partners.")]


@app.callback()
def inspect() -> None:
    """Look at the texts, neighbours, semantic IDs and attention of a spec that has been run."""


@app.command("text")
def text(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    side: SideOption = "items",
    cell: CellOption = None,
    sample: SampleOption = 5,
    seed: SeedOption = 0,
    output: options.FormatOption = "rich",
) -> None:
    """Show sampled texts, their statistics, and held-out items that they tell of."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.artifact_loading import load_texts
    from grasp_bench.studies.inspection.layout import lay_out_text
    from grasp_bench.studies.inspection.texts import inspect_text

    opened = load_texts(plan_of(spec, overrides, store), Store(store), side, cell)
    found = inspect_text(opened, sample, seed)
    display(found, lay_out_text(found), output)


@app.command("grounding")
def grounding(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    side: SideOption = "items",
    cell: CellOption = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="CSV of a reader's labels: id, label, text."),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option("--judge", metavar="MODEL", help="litellm's name of a model that judges texts."),
    ] = None,
    judged: Annotated[
        int, typer.Option("--judged", min=1, metavar="N", help="Texts judged; with --labels those labelled.")
    ] = 150,
    max_cost_usd: Annotated[
        float | None, typer.Option("--max-cost-usd", min=0, help="Stop the judge before it costs more.")
    ] = None,
    seed: SeedOption = 0,
    output: options.FormatOption = "rich",
) -> None:
    """Count claims of texts that the attributes contradict or do not carry, and show who agrees with that."""
    from grasp_bench.core.store import Store
    from grasp_bench.engine.costs import ledger_of
    from grasp_bench.studies.artifact_loading import load_texts
    from grasp_bench.studies.inspection.grounding import inspect_grounding
    from grasp_bench.studies.inspection.grounding_labels import read_labels
    from grasp_bench.studies.inspection.grounding_layout import lay_out_grounding
    from grasp_bench.studies.inspection.judge import Judge, judge_texts

    opened = load_texts(plan_of(spec, overrides, store), Store(store), side, cell)
    known = read_labels(labels) if labels is not None else None
    asked = None if judge is None else Judge(judge, judged, max_cost_usd, seed)
    states, said = (
        judge_texts(opened, asked, known, ledger_of(Store(store))) if asked is not None else ({}, None)
    )
    found = inspect_grounding(opened, seed, known, states, said)
    display(found, lay_out_grounding(found), output)


@app.command("neighbours")
def neighbours(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    side: SideOption = "items",
    cell: CellOption = None,
    sample: SampleOption = 5,
    seed: SeedOption = 0,
    output: options.FormatOption = "rich",
) -> None:
    """Show sampled neighbours, their agreement with behaviour against random partners, hubs and clones."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.artifact_loading import load_neighbours
    from grasp_bench.studies.inspection.layout import lay_out_neighbours
    from grasp_bench.studies.inspection.neighbours import inspect_neighbours

    opened = load_neighbours(plan_of(spec, overrides, store), Store(store), side, cell)
    found = inspect_neighbours(opened, sample, seed)
    display(found, lay_out_neighbours(found), output)


@app.command("codes")
def codes(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    cell: Annotated[
        str | None, typer.Option("--cell", metavar="SLUG", help="The codes of this cell; by default all.")
    ] = None,
    sample: Annotated[
        int, typer.Option("--sample", min=0, metavar="N", help="Prefixes shown of each length.")
    ] = 3,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which prefixes are shown.")] = 0,
    output: options.DocumentFormatOption = "rich",
) -> None:
    """Show the cards of semantic IDs, and what items with an equal prefix have in common."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.artifact_loading import load_codes
    from grasp_bench.studies.inspection.codes import inspect_codes
    from grasp_bench.studies.inspection.codes_layout import lay_out_codes

    plan = plan_of(spec, overrides, store)
    opened, missing = load_codes(plan, Store(store), cell)
    found = inspect_codes(plan.name, opened, missing, sample, seed)
    display(found, lay_out_codes(found), output)


@app.command("prompts")
def prompts(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    persistence: Annotated[
        float, typer.Option("--p", min=0.01, max=0.999, help="Persistence of rank-biased overlap.")
    ] = 0.9,
    output: options.FormatOption = "rich",
) -> None:
    """Compare the texts of a spec: overlap of the neighbours they lead to, metrics of their cells."""
    from grasp_bench.core.store import Store
    from grasp_bench.studies.prompts.compare import compare_prompts, lay_out_prompts

    found = compare_prompts(plan_of(spec, overrides, store), Store(store), results, persistence)
    display(found, lay_out_prompts(found), output)


@app.command("memorisation")
def memorisation(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="litellm's name, or local/smollm2; by default the spec's."
        ),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=1, metavar="N", help="Items asked for.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which items.")] = 0,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="Of one answer.")] = 32,
    max_cost_usd: Annotated[
        float | None, typer.Option("--max-cost-usd", min=0.0, help="Stop before the cost exceeds this.")
    ] = None,
    called: Annotated[
        str | None,
        typer.Option(
            "--called", metavar="TEXT", help="The data set's name in prompts; by default its title."
        ),
    ] = None,
    output: options.FormatOption = "rich",
) -> None:
    """Ask a language model for titles of the data set, beside guesses that need no memory.

    Needs no run. Answers are kept in the store and never asked, or paid for, twice.
    """
    from grasp_bench import api
    from grasp_bench.core.store import Store
    from grasp_bench.engine.costs import ledger_of
    from grasp_bench.spec.locations import at_its_place
    from grasp_bench.studies.inspection.layout import lay_out_memorisation
    from grasp_bench.studies.inspection.memorisation import Asking, probe_memory

    loaded = api.load(spec, overrides)
    asking = Asking(model, sample, seed, max_tokens, max_cost_usd, called)
    with at_its_place(loaded.tree):
        found = probe_memory(loaded.experiment, ledger_of(Store(store)), asking)
    display(found, lay_out_memorisation(found), output)


@app.command("attention")
def attention(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    leaderboard: options.LeaderboardPath = options.DEFAULT_LEADERBOARD,
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
    claims: Annotated[
        Literal["contradicted", "ungrounded"] | None,
        typer.Option("--claims", help="Call texts corrupted that claim what attributes contradict, or lack."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Which users are drawn, who is hit.")] = 0,
    output: options.DocumentFormatOption = "rich",
) -> None:  # fmt: skip
    """Show attention weights of histories: spread, saturation, head and tail, corrupted context, heat maps.

    For all cells as they are trained, results/<spec>/attention.json and
    leaderboard/<spec>.attention.md are written, too.
    """
    from grasp_bench.core.store import Store
    from grasp_bench.report.renderers.markdown import document_text
    from grasp_bench.report.renderers.terminal import show
    from grasp_bench.studies.attention.inspection import HeatMapUsers, InspectionOptions, inspect_attention
    from grasp_bench.studies.attention.report import lay_out_attention
    from grasp_bench.studies.attention.terminal import show_heat_maps

    if corrupt and claims is not None:
        raise typer.BadParameter(
            "--corrupt has texts of its own; leave one of the two out", param_hint="--claims"
        )
    plan = plan_of(spec, overrides, store)
    found = inspect_attention(
        plan, Store(store), InspectionOptions(cell, HeatMapUsers(user, sample, seed), corrupt, seed, claims)
    )
    document = lay_out_attention(found)
    if cell == "*" and not corrupt and claims is None:
        leave("attention", found, results, leaderboard)
    if output == "json":
        say_json(found)
    elif output == "md":
        say_whole(document_text(document))
    else:
        show(document.unfolded, console())
        show_heat_maps(found, console())
