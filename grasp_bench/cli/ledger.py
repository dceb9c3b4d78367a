"""`grasp-bench ledger`: recover the file of answers of paid services."""

from __future__ import annotations

import typer

from grasp_bench.cli.options import DEFAULT_STORE, StorePath
from grasp_bench.cli.output import say

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def ledger() -> None:
    """Maintain the ledger: the answers of paid services, kept in the store."""


@app.command()
def recover(store: StorePath = DEFAULT_STORE) -> None:
    """Copy every readable answer of a damaged ledger to a new one.

    Keeps the damaged file beside it. Does not change a ledger without damage.
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
        say(f"{found.unreadable:,} answers are unreadable: the next run requests and pays them again")
    say(f"the damaged file is kept: {found.damaged}")
