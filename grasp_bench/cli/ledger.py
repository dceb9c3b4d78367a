"""`grasp-bench ledger`: care of the file that keeps what services have answered."""

from __future__ import annotations

import typer

from grasp_bench.cli.options import DEFAULT_STORE, StorePath
from grasp_bench.cli.output import say

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def ledger() -> None:
    """Look after the ledger: the answers of paid services, kept in the store."""


@app.command()
def recover(store: StorePath = DEFAULT_STORE) -> None:
    """Save every answer that can be read of a damaged ledger into a new one.

    The damaged file is kept beside it. A ledger without damage is left as it is.
    """
    from grasp_bench.core.store import Store
    from grasp_bench.engine.costs import ledger_of
    from grasp_bench.services.ledger_recovery import recover as recover_ledger

    path = ledger_of(Store(store))
    found = recover_ledger(path)
    if found.damaged is None:
        say(f"{path}: nothing is damaged, {found.answers:,} answers")
        return
    say(f"{path}: {found.answers:,} answers saved")
    if found.unreadable:
        say(f"{found.unreadable:,} answers could not be read: they will be asked, and paid, for again")
    say(f"the damaged file is kept: {found.damaged}")
