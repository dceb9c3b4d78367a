"""`grasp-bench spec`: print the JSON Schema of specs, or the values of one spec and their sources."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grasp_bench.cli.options import Overrides, SpecPath
from grasp_bench.cli.output import console, say_json

if TYPE_CHECKING:
    from grasp_bench.spec.loading import LoadedSpec

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


class Format(StrEnum):
    """Output format of `explain`."""

    table = "table"
    json = "json"


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of spec files, for editors."""
    from grasp_bench.spec.shape import json_schema

    say_json(json_schema())


@app.command("explain")
def explain(
    spec: SpecPath,
    overrides: Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    output: Annotated[
        Format, typer.Option("--format", help="Table for people, JSON for programs.")
    ] = Format.table,
) -> None:
    """Print every resolved value of a spec and its source."""
    from grasp_bench.spec.loading import load

    rows = _rows(load(spec, overrides))
    if output is Format.json:
        say_json([{"key": key, "value": value, "source": source} for key, value, source in rows])
    else:
        _print_table(rows)


def _rows(loaded: LoadedSpec) -> list[tuple[str, Any, str]]:
    from grasp_bench.spec.provenance import resolved

    return [(key, value, loaded.sources[key]) for key, value in resolved(loaded.experiment).items()]


def _print_table(rows: list[tuple[str, Any, str]]) -> None:
    import json

    from rich.table import Table

    from grasp_bench.core.console import plain

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("key", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("source", overflow="fold")
    for key, value, source in rows:
        style = "dim" if source == "default" else ""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        table.add_row(plain(key, style), plain(text, style), plain(source, style))
    console().print(table)
