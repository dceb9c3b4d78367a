"""`grasp-bench plan`: show the work of a run and estimate its time, memory and money."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grasp_bench.cli import options
from grasp_bench.cli.output import console, note, say, say_json
from grasp_bench.plan.nodes import STAGE_VERSIONS

if TYPE_CHECKING:
    from rich.table import Table

    from grasp_bench.core.store import Store
    from grasp_bench.plan.compile import Plan
    from grasp_bench.plan.estimate import Estimate
    from grasp_bench.plan.selection import Status
    from grasp_bench.services.budget import Quote
    from grasp_bench.spec.experiment import Experiment


class Device(StrEnum):
    """Devices of the workers."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def plan(
    spec: options.SpecPath,
    overrides: options.Overrides = [],  # noqa: B006 - typer reads the default and never changes it
    store: options.StorePath = options.DEFAULT_STORE,
    results: options.ResultsPath = options.DEFAULT_RESULTS,
    dataset: options.DatasetOption = None,
    only: options.OnlyOption = "*",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Worker processes for the estimate.")
    ] = None,
    device: Annotated[Device, typer.Option("--device", help="Where models would run.")] = Device.auto,
    probe: Annotated[
        bool,
        typer.Option("--probe", help="Measure models in this process (local/…) by writing ten texts first."),
    ] = False,
    output: options.FormatOption = "rich",
) -> None:
    """Show stages, cells, the cache, and a rough estimate of time, memory and money. Runs nothing."""
    from grasp_bench import api
    from grasp_bench.core.store import Store
    from grasp_bench.engine.costs import probe_models, quotes_for
    from grasp_bench.plan.local_models import Asked
    from grasp_bench.plan.source import note_of_source
    from grasp_bench.report.study import looks_of
    from grasp_bench.spec.demo import mark_of

    loaded = options.load_for(spec, overrides, dataset)
    whole = api.plan(loaded, store=store)
    forecast = partial(
        api.forecast, loaded, whole, store=store, only=only, device=device.value, workers=workers
    )
    found = forecast()
    if probe:
        probe_models(found.status.to_run, Store(store), found.devices[0], note)
    quotes = quotes_for(found.status.to_run, Store(store), note)
    if probe or found.estimate.local:
        found = forecast(
            asked={each.payer: Asked(each.most.requests, each.most.input_tokens) for each in quotes}
        )
    chosen, now, guess, places = found.chosen, found.status, found.estimate, found.devices
    looks = looks_of(loaded.experiment)
    more = len(whole.only(only).cells) - len(chosen.cells) if looks else 0
    if output == "json":
        further = {"looks": looks, "further_cells": more} if looks else {}
        money = _money_as_json(chosen, quotes, Store(store))
        say_json(_as_json(chosen, now, guess, places, store) | further | money)
    else:
        if mark := mark_of(loaded.experiment):
            say(mark)
        _show(chosen, now, guess, places)
        for line in note_of_source(chosen.nodes, Store(store)):
            note(f"note: {line}")
        if looks:
            say(_further_line(more, looks))
        _show_money(chosen, now, quotes, Store(store))
        for node in now.to_run:
            if (work := guess.local.get(node.hash)) is not None:
                say(f"{node.label}: {work.line()}")
        _say_power(loaded.experiment, results)


def _say_power(experiment: Experiment, results: Path) -> None:
    """Print the power of the spec's seeds if there are results; damaged results do not fail a plan."""
    from grasp_bench.core.errors import GraspBenchError
    from grasp_bench.studies.power.preview import seeds_preview

    hypotheses = [hypothesis.model_dump() for hypothesis in experiment.hypotheses]
    try:
        for line in seeds_preview(results / experiment.name, hypotheses, len(experiment.all_seeds)):
            say(line)
    except GraspBenchError as error:
        note(f"note: what seeds can tell is not known: {error.message}")


def _as_json(
    plan: Plan, now: Status, guess: Estimate, places: tuple[str, ...], store: Path
) -> dict[str, Any]:
    return {
        "name": plan.name,
        "store": str(store),
        "cells": [
            {"slug": cell.slug, "kind": cell.kind, "state": now.states[cell.hash], "hash": cell.hash,
             "protocol_hash": cell.protocol_hash,
             "nodes": {role: node.hash for role, node in cell.nodes.items()}}
            for cell in plan.cells
        ],
        "nodes": [
            {"stage": node.stage, "hash": node.hash, "label": node.label, "state": now.states[node.hash],
             "seconds": _rounded(guess.node_seconds.get(node.hash))}
            for node in plan.nodes
        ],
        "to_run": {"trainings": now.trainings, "controls": now.controls},
        "duplicates": dict(plan.duplicates),
        "estimate": {"seconds": round(guess.seconds, 1), "memory_mb": round(guess.memory_mb),
                     "disk_mb": round(guess.disk_mb), "learned": round(guess.learned, 3),
                     "workers": list(places)},
        "local_models": [{"label": node.label, "hash": node.hash, **asdict(guess.local[node.hash])}
                         for node in now.to_run if node.hash in guess.local],
    }  # fmt: skip


def _further_line(cells: int, looks: tuple[int, ...]) -> str:
    """Return a line about the seeds that undecided hypotheses may add."""
    *between, last = (str(look) for look in looks)
    return (
        f"until the hypotheses are decided: at most {cells} cells more, of methods that an undecided one "
        f"names; they are judged at {', '.join(between)} and {last} trainings of a method"
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _show(plan: Plan, now: Status, guess: Estimate, places: tuple[str, ...]) -> None:
    from grasp_bench.core.console import plain
    from grasp_bench.core.words import readable

    console().print(_stages(plan, now, guess))
    console().print(_cells(plan, now))
    if plan.duplicates:
        slug, same = next(iter(plan.duplicates.items()))
        text = f"left out because they compute the same as one of these: {len(plan.duplicates)}"
        console().print(plain(f"{text} (such as {slug} = {same})"), style="dim")
    left = len(plan.cells) - len(now.done)
    console().print(
        f"{len(plan.cells)} cells, {left} to finish; {len(plan.nodes)} nodes, {len(now.to_run)} to run: "
        f"trainings {now.trainings}, untrained controls {now.controls}"
    )
    if now.to_run:
        measured = (
            f"{guess.learned:.0%} of it from measured speeds" if guess.learned else "from general constants"
        )
        console().print(
            f"about {readable(guess.seconds)} with {len(places)} × {places[0].partition(':')[0]} worker, "
            f"{guess.memory_mb / 1000:.1f} GB memory, {guess.disk_mb / 1000:.2f} GB disk (rough, {measured})"
        )


def _stages(plan: Plan, now: Status, guess: Estimate) -> Table:
    from rich.table import Table

    from grasp_bench.core.words import readable

    table = Table(
        "stage", "nodes", "cached", "to resume", "to run", "about", title="Stages", title_justify="left"
    )
    present = {node.stage for node in plan.nodes}
    for stage in (name for name in STAGE_VERSIONS if name in present):
        nodes = [node for node in plan.nodes if node.stage == stage]
        states = [now.states[node.hash] for node in nodes]
        time = sum(guess.node_seconds.get(node.hash, 0.0) for node in nodes)
        counts = (len(nodes), states.count("cached"), states.count("resume"), states.count("to do"))
        table.add_row(stage, *(str(count) for count in counts), readable(time) if time else "")
    return table


def _cells(plan: Plan, now: Status) -> Table:
    from rich.table import Table

    from grasp_bench.core.console import add_rows, plain

    table = Table("cell", "kind", "dataset", "ablation", "seed", "state", title="Cells", title_justify="left")
    started = {cell.hash for cell in now.started}
    rows = []
    for cell in plan.cells:
        cached = now.states[cell.hash] == "cached"
        state = "done" if cached else "started" if cell.hash in started else "to do"
        seed = "" if cell.seed is None else str(cell.seed)
        told = (cell.slug, cell.kind, cell.dataset, cell.ablation or "", seed, state)
        rows.append([plain(text) for text in told])
    add_rows(table, rows, console().width)
    return table


def _show_money(plan: Plan, now: Status, quotes: list[Quote], store: Store) -> None:
    """Print a line with the estimate or the spending of each node that uses a service."""
    from grasp_bench.engine.costs import quote_line, spend_line, spendings
    from grasp_bench.engine.diagnostics import absent_keys

    lines = [quote_line(quote) for quote in quotes]
    lines += absent_keys(now.to_run)
    lines += [spend_line(spending) for spending in spendings(plan.nodes, store)]
    if lines:
        for line in ("", "Services", *lines):
            say(line)


def _money_as_json(plan: Plan, quotes: list[Quote], store: Store) -> dict[str, Any]:
    """Return estimates and spending as JSON: `quotes` and `spent`; empty without a service."""
    from grasp_bench.engine.costs import spendings

    told = [_quote_as_json(quote) for quote in quotes]
    spent = [asdict(spending) for spending in spendings(plan.nodes, store)]
    return {"quotes": told, "spent": spent} if told or spent else {}


def _quote_as_json(quote: Quote) -> dict[str, Any]:
    least, most = quote.dollars or (None, None)
    return {
        "label": quote.label, "hash": quote.payer, "model": quote.service.model,
        "least": asdict(quote.least), "most": asdict(quote.most), "answered": quote.answered,
        "exact": quote.exact, "dollars_at_least": least, "dollars_at_most": most, "stops": quote.stops(),
    }  # fmt: skip
