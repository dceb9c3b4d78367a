"""Commands that look after an installation: `doctor` and `ledger`."""

from __future__ import annotations

import typer

from grasp_bench.cli.options import DEFAULT_STORE, StorePath
from grasp_bench.cli.output import say

MARKS = {"ok": "ok     ", "note": "note   ", "broken": "BROKEN "}


def doctor(store: StorePath = DEFAULT_STORE) -> None:
    """Check Python, torch, extras, data folder, store, disk and memory.

    Exits with 1 if something that every run needs is broken; optional things that are absent are notes.
    """
    from grasp_bench.engine.diagnostics import run_checks

    findings = run_checks(store)
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        say(f"{MARKS[finding.state]}{finding.subject:<{width}}  {finding.text}")
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


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
