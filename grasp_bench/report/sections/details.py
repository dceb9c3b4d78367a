"""What lies behind the means: every seed, every run, versions, hashes, and the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from grasp_bench.report.charts.row_charts import Bar, bars
from grasp_bench.report.document import BLANK, Column, Entry, Figure, Head, Section, Table
from grasp_bench.report.formatting import count, duration, flattened
from grasp_bench.report.page.blocks import Block, Commands, Folded, Heading, PageSection, Prose
from grasp_bench.report.schema import Board, Ranking
from grasp_bench.report.sections.ranking import label_of, mark_notes, ordered_rows, values_of_seeds

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData


def seed_table(ranking: Ranking, protocol: str, metric: str) -> Table:
    """One metric by method and seed; blank where not finished. What has no seed is left out."""
    rows = [row for row in ordered_rows(ranking, protocol, metric) if row["planned_seeds"] or row["seeds"]]
    seeds = sorted({seed for row in rows for seed in [*row["planned_seeds"], *row["seeds"]]})
    heads = ["method", *(f"seed {seed}" for seed in seeds)]
    entries = [[label_of(row), *values_of_seeds(row, protocol, metric, seeds)] for row in rows]
    return Table.of_texts(f"{metric} by seed, {protocol} ranking", heads, entries, mark_notes(rows))


def provenance_table(ranking: Ranking) -> Table:
    """Epochs, training time, machine and date of every run."""
    heads: list[Head] = [
        "run",
        "epochs (best)",
        "training time",
        Column("machine", "left"),
        Column("finished", "left"),
    ]
    runs = [run for row in ranking["rows"] for run in row["provenance"]]
    return Table.of_texts("Runs", heads, [_run_entries(run) for run in runs], _versions(runs))


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
    rows = [[key, _fact(value)] for key, value in flattened(card)]
    return Table.of_texts(f"Dataset card: {name}", ["fact", "value"], rows)


def _run_entries(run: Mapping[str, Any]) -> list[str | Entry]:
    epochs = BLANK if run["epochs"] is None else f"{run['epochs']} ({run['best_epoch'] or BLANK})"
    time = Entry(duration(run["seconds"]), order=run["seconds"])
    return [run["slug"], epochs, time, *(str(run[key] or BLANK) for key in ("machine", "finished"))]


def _versions(runs: list[dict[str, Any]]) -> list[str]:
    """One line for each set of versions that was used."""
    lines = {
        ", ".join(f"{name} {version}" for name, version in sorted(run["versions"].items())) for run in runs
    }
    return [f"Versions: {line}." for line in sorted(lines) if line]


def _fact(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: BLANK}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "; ".join(value) or BLANK
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def data_section(data: PageData) -> PageSection | None:
    """The card of each dataset; None where no split has left one."""
    blocks: list[Block] = []
    for name, card in data.board["cards"].items():
        lengths = card.get("lengths")
        histogram = lengths.get("histogram") if isinstance(lengths, Mapping) else None
        if histogram:
            blocks.append(_lengths(name, histogram))
            card = {**card, "lengths": {key: each for key, each in lengths.items() if key != "histogram"}}
        blocks.append(card_table(name, card))
    return PageSection("data", "Dataset card", blocks) if blocks else None


def _lengths(dataset: str, histogram: list[Mapping[str, Any]]) -> Figure:
    rows = []
    for each in histogram:
        label = str(each["from"]) if each["from"] == each["to"] else f"{each['from']} to {each['to']}"
        rows.append(Bar(label, each["users"], f"{label} interactions: {count(each['users'])} users"))
    name = f"How long histories are, {dataset}"
    entries = [[row.label, count(int(row.value))] for row in rows]
    table = Table.of_texts(name, ["interactions", "users"], entries, names=0)
    return Figure.of_one(name, lambda width: bars(rows, width, "users"), table)


def gaps(data: PageData) -> PageSection | None:
    """What was planned and is not there; None where nothing is missing."""
    section = gaps_section(data.board)
    if section is None:
        return None
    return PageSection("missing", "What is missing", [Prose(section.lines, listed=True)])


def provenance_section(data: PageData) -> PageSection:
    """How to reproduce first; then runs and hashes."""
    board = data.board
    blocks: list[Block] = [Heading("How to reproduce"), Commands(_commands(data))]
    if board["rankings"]:
        known = "A finished cell is found by its hash and not computed again; seeds and versions are below."
        seeds = [
            seed_table(ranking, protocol, data.metric)
            for ranking in board["rankings"]
            for protocol in data.protocols(ranking)
        ]
        blocks += [Prose([known]), Heading("Runs"), *map(_runs, board["rankings"])]
        blocks.append(Folded("Every seed", seeds))
    blocks += [Heading("Hashes"), _hashes(data)]
    return PageSection("provenance", "Provenance", blocks)


def _commands(data: PageData) -> list[str]:
    spec = f"specs/{data.board['name']}.yaml"
    studies = [f"{each.study.command} {spec}" for each in data.findings]
    ran = data.board["rankings"] or data.board["missing"]
    return [*([f"grasp-bench run {spec}"] if ran else []), *studies, f"grasp-bench report {spec}"]


def _runs(ranking: Ranking) -> Table:
    """The runs of a board, and the hash by which each is found."""
    table = provenance_table(ranking)
    runs = [run for row in ranking["rows"] for run in row["provenance"]]
    rows = [
        [*entries, Entry(str(run["hash"] or BLANK))] for entries, run in zip(table.rows, runs, strict=True)
    ]
    return Table(table.title, [*table.columns, Column("hash", "left")], rows, table.notes)


def _hashes(data: PageData) -> Table:
    rows = [
        [f"protocol{data.suffix(ranking)}", ranking["protocol_hash"]] for ranking in data.board["rankings"]
    ]
    rows.append(["board", data.board["key"]])
    rows += [[f"{each.name}.json", each.hash] for each in data.findings]
    return Table.of_texts("Hashes of what this page was made from", ["of", "hash"], rows, names=2)
