"""`grasp-bench store`: what the store holds, whether it is whole, and what may go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grasp_bench.cli.options import DEFAULT_STORE, StorePath
from grasp_bench.cli.output import console, note, say
from grasp_bench.core.errors import StoreError

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


@app.callback()
def store_commands() -> None:
    """Look after the store of artefacts."""


@app.command("du")
def du(store: StorePath = DEFAULT_STORE) -> None:
    """Show what each stage takes: artefacts, unfinished and damaged ones, megabytes."""
    from rich.table import Table

    from grasp_bench.core.store import Store
    from grasp_bench.engine.housekeeping import usage

    found = usage(Store(_existing(store)))
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("stage")
    for name in ("finished", "unfinished", "damaged", "MB"):
        table.add_column(name, justify="right")
    for each in found:
        counts = (each.finished, each.unfinished, each.damaged)
        table.add_row(each.stage, *(f"{count:,}" for count in counts), f"{each.bytes / 1e6:,.1f}")
    table.add_row("all", *[""] * 3, f"{sum(each.bytes for each in found) / 1e6:,.1f}")
    console().print(table)


@app.command("verify")
def verify(store: StorePath = DEFAULT_STORE) -> None:
    """Compare all files with their checksums; damaged artefacts are set aside, to be made again."""
    from grasp_bench.core.store import Store
    from grasp_bench.engine.housekeeping import usage
    from grasp_bench.engine.housekeeping import verify as verify_all

    kept = Store(_existing(store))
    wrong = verify_all(kept)
    for line in wrong:
        note(f"damaged: {line}")
    if wrong:
        raise typer.Exit(1)
    say(f"{store}: {sum(each.finished for each in usage(kept)):,} artefacts are whole")


@app.command("gc")
def gc(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", help="Specs whose artefacts are kept.")],
    store: StorePath = DEFAULT_STORE,
    really: Annotated[bool, typer.Option("--delete", help="Delete; without it, list only.")] = False,
) -> None:
    """List, or delete, artefacts that no cell of these specs needs; texts, which may be paid for, are kept.

    What `tune`, `audit` and other studies made beside the cells is listed, too.
    """
    from grasp_bench import api
    from grasp_bench.core.store import Store
    from grasp_bench.engine.housekeeping import delete, delete_set_aside, size_of, unneeded

    kept = Store(_existing(store))
    plans = [api.plan(api.load(path), store=store) for path in specs]
    freed = 0
    for artefact in unneeded(kept, plans):
        size = size_of(artefact.path)
        freed += size
        say(f"{size / 1e6:10,.1f} MB  {artefact.path}")
        if really:
            delete(kept, artefact)
    if really:
        freed += delete_set_aside(kept)
        say(f"{freed / 1e6:,.1f} MB freed")
    else:
        say(f"{freed / 1e6:,.1f} MB in artefacts that {_these(specs)} not need; --delete removes them")


def _these(specs: list[Path]) -> str:
    return f"{specs[0].name} does" if len(specs) == 1 else f"these {len(specs)} specs do"


def _existing(store: Path) -> Path:
    if not store.is_dir():
        raise StoreError(f"{store}: no store here", hint="pass --store or set GRASP_BENCH_STORE")
    return store
