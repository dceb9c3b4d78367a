"""`grasp-bench data`: prepare public datasets, and look at any dataset before building on it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grasp_bench.cli.data_prepare import list_public, prepare
from grasp_bench.cli.options import Overrides
from grasp_bench.cli.output import console, say_json

if TYPE_CHECKING:
    from grasp_bench.spec.dataset import Dataset

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


class Format(StrEnum):
    """How a card is printed."""

    table = "table"
    json = "json"


@app.callback()
def data() -> None:
    """Prepare public datasets, and look at any dataset before building on it."""


app.command("list")(list_public)
app.command("prepare")(prepare)


@app.command("card")
def card(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="demo, a name under $GRASP_BENCH_DATA, a folder, an interactions file, or a spec (.yaml).",
        ),
    ],
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    output: Annotated[
        Format, typer.Option("--format", help="Table for people, JSON for programs.")
    ] = Format.table,
) -> None:
    """Print the card of a dataset: sizes, lengths, repeat and unseen targets, clones, ties, repairs.

    Columns, filters and repairs are set as in a spec, e.g. --set dataset.columns.user=reviewerID.
    """
    from grasp_bench.data.card import card_of_dataset
    from grasp_bench.data.card_table import card_table

    found = card_of_dataset(_dataset(source, overrides))
    if output is Format.json:
        say_json(found)
    else:
        console().print(card_table(found))


def _dataset(source: str, overrides: list[str]) -> Dataset:
    import json

    from grasp_bench.spec.loading import load, load_text

    if source.endswith((".yaml", ".yml")):
        return load(Path(source), overrides).experiment.dataset
    spec = json.dumps({"name": "card", "dataset": {"source": source}})  # JSON is YAML
    return load_text(spec, "data card", overrides).experiment.dataset
