"""What lies behind the means: every seed, every run, and the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grasp_bench.report.document import BLANK, Column, Entry, Section, Table
from grasp_bench.report.numbers import duration, percent
from grasp_bench.report.schema import Board, Ranking, Row
from grasp_bench.report.sections.marks import label_of, mark_notes
from grasp_bench.report.sections.ranking import ordered_rows


def seed_table(ranking: Ranking, protocol: str, metric: str) -> Table:
    """One metric by method and seed; blank where not finished. What has no seed is left out."""
    rows = [row for row in ordered_rows(ranking, protocol, metric) if row["planned_seeds"] or row["seeds"]]
    seeds = sorted({seed for row in rows for seed in [*row["planned_seeds"], *row["seeds"]]})
    columns = [Column("method", "left"), *(Column(f"seed {seed}") for seed in seeds)]
    entries = [
        [Entry(label_of(row)), *(Entry(_seed_value(row, protocol, seed, metric)) for seed in seeds)]
        for row in rows
    ]
    return Table(f"{metric} by seed, {protocol} ranking", columns, entries, mark_notes(rows))


def provenance_table(ranking: Ranking) -> Table:
    """Epochs, training time, machine and date of every run."""
    columns = [
        Column("run", "left"),
        Column("epochs (best)"),
        Column("training time"),
        Column("machine", "left"),
        Column("finished", "left"),
    ]
    runs = [run for row in ranking["rows"] for run in row["provenance"]]
    return Table("Runs", columns, [_run_entries(run) for run in runs], _versions(runs))


def gaps_section(board: Board) -> Section | None:
    """Cells that are missing, by method, and those left out, by name."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for gap in board["missing"]:
        seed = [] if gap["seed"] is None else [str(gap["seed"])]
        seeds.setdefault((gap["reason"], gap["method"] or gap["slug"]), []).extend(seed)
    methods: dict[tuple[str, str], list[str]] = {}
    for (reason, method), lacking in seeds.items():
        methods.setdefault((reason, _seeds(lacking)), []).append(method)
    missing = [
        f"missing ({reason}){which}: {', '.join(names)}." for (reason, which), names in methods.items()
    ]
    named = {gap["slug"] for gap in board["missing"]}
    out = [
        f"left out: {gap['slug']} ({gap['reason']})." for gap in board["left_out"] if gap["slug"] not in named
    ]
    return Section("Not on this board", lines=[*missing, *out], kind="gaps") if missing or out else None


def _seeds(seeds: list[str]) -> str:
    """`, seeds 43, 44`; nothing for what has none."""
    return f", seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}" if seeds else ""


def card_table(name: str, card: Mapping[str, Any]) -> Table:
    """The dataset card, nested keys dotted."""
    rows = [[Entry(key), Entry(value)] for key, value in _flatten(card)]
    return Table(f"Dataset card: {name}", [Column("fact", "left"), Column("value")], rows)


def _seed_value(row: Row, protocol: str, seed: int, metric: str) -> str:
    return percent(row["per_seed"].get(protocol, {}).get(str(seed), {}).get(metric))


def _run_entries(run: Mapping[str, Any]) -> list[Entry]:
    epochs = BLANK if run["epochs"] is None else f"{run['epochs']} ({run['best_epoch'] or BLANK})"
    machine, finished = (Entry(str(run[key] or BLANK)) for key in ("machine", "finished"))
    time = Entry(duration(run["seconds"]), order=run["seconds"])
    return [Entry(run["slug"]), Entry(epochs), time, machine, finished]


def _versions(runs: list[dict[str, Any]]) -> list[str]:
    """One line for each set of versions that was used."""
    lines = {
        ", ".join(f"{name} {version}" for name, version in sorted(run["versions"].items())) for run in runs
    }
    return [f"Versions: {line}." for line in sorted(lines) if line]


def _flatten(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, entry in value.items():
        name = f"{prefix}{key}"
        if isinstance(entry, Mapping):
            rows.extend(_flatten(entry, f"{name}."))
        else:
            rows.append((name, _fact(entry)))
    return rows


def _fact(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: BLANK}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "; ".join(value) or BLANK
    return f"{value:.4g}" if isinstance(value, float) else str(value)
