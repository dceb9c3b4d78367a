"""`grasp-bench doctor`: check the machine, the installation and the folders."""

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
