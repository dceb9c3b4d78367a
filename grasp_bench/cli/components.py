"""`grasp-bench list`: the components that a spec may name."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from grasp_bench.cli.options import FormatOption
from grasp_bench.cli.output import console, say_json
from grasp_bench.core.errors import UnknownNameError
from grasp_bench.core.words import did_you_mean


def components(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="[KIND]", help="backbone, enhancer, loss, …; by default all."),
    ] = None,
    output: FormatOption = "rich",
) -> None:
    """List components: kind, name, what it is, its own keys, and the class that it builds."""
    from grasp_bench.components import described

    rows = described()
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    if kind is not None:
        if kind not in kinds:
            raise UnknownNameError(
                f"unknown kind of component '{kind}'{did_you_mean(kind, kinds)}",
                hint=f"choose one of: {', '.join(kinds)}",
            )
        rows = [row for row in rows if row["kind"] == kind]
    if output == "json":
        say_json(rows)
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from grasp_bench.core.console import plain

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("kind", no_wrap=True)
    table.add_column("name", no_wrap=True, style="cyan")
    table.add_column("what it is", overflow="fold", ratio=3)
    table.add_column("own keys", overflow="fold", ratio=2)
    table.add_column("builds", overflow="fold", ratio=2, style="dim")
    last = ""
    for row in rows:
        table.add_row(
            plain(row["kind"] if row["kind"] != last else ""), plain(row["name"]), plain(row["summary"]),
            plain(", ".join(row["keys"])), plain(row["implementation"].removeprefix("grasp_bench.")),
        )  # fmt: skip
        last = row["kind"]
    console().print(table)
