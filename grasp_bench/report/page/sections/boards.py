"""The board: a table for each ranking, where every method stands, and what tells it from the best."""

from __future__ import annotations

from collections.abc import Iterator

from grasp_bench.report.document import Column, Entry, Table
from grasp_bench.report.numbers import p_value, percent, percent_with_spread, points_with_interval
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.whiskers import Dot, Whisker, dots, whiskers
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, Folded, Heading, PageSection, Part, Prose
from grasp_bench.report.schema import Ranking
from grasp_bench.report.sections.evidence import exploratory_table, shuffled_table
from grasp_bench.report.sections.marks import label_of, mark_notes
from grasp_bench.report.sections.ranking import ordered_rows, overall, ranking_table

SERIES = ("method", "control", "one of its seeds")
DIFFERENCE = "points of {} in percent, less the best"


def board_section(material: PageMaterial) -> PageSection | None:
    """Every ranking under every protocol; None where nothing was ranked."""
    parts = [part for ranking in material.board["rankings"] for part in _ranking(material, ranking)]
    return PageSection("board", "Leaderboard", parts) if parts else None


def _ranking(material: PageMaterial, ranking: Ranking) -> Iterator[Part]:
    if ranking["why_apart"]:
        yield Prose([f"Ranked apart: {ranking['why_apart']}."])
    for protocol in material.protocols(ranking):
        yield Heading(f"{protocol.capitalize()} ranking{material.suffix(ranking)}")
        yield ranking_table(ranking, protocol, material.metric)
        yield from filter(None, [_means(material, ranking, protocol), _to_best(material, ranking, protocol)])
        shuffled = shuffled_table(ranking, protocol, material.metric)
        if shuffled:
            yield Folded("What is left on shuffled embeddings", [shuffled])


def _means(material: PageMaterial, ranking: Ranking, protocol: str) -> Figure | None:
    """Means, and the seeds that they are of; controls by another sign."""
    metric, rows = material.metric, []
    for row in ordered_rows(ranking, protocol, material.metric):
        stat = overall(row, protocol, metric)
        if stat is None:
            continue
        label, seeds = label_of(row), row["per_seed"].get(protocol, {})
        kind = "control" if row["kind"] == "control" else "method"
        rows.append(Dot(label, kind, 100 * stat["mean"], f"{label}: {percent_with_spread(stat)}"))
        for seed, values in seeds.items() if len(seeds) > 1 else ():
            if metric in values:
                told = f"{label}, seed {seed}: {percent(values[metric])}"
                rows.append(Dot(label, "one of its seeds", 100 * values[metric], told, size=28))
    if not rows:
        return None
    name = f"{metric} of every method, {protocol} ranking{material.suffix(ranking)}"
    picture = draw(name, lambda width: dots(rows, width, f"{metric}, percent", series=SERIES, zero=True))
    return Figure(name, [picture], _means_table(ranking, protocol, metric, name))


def _means_table(ranking: Ranking, protocol: str, metric: str, title: str) -> Table:
    """Means and seeds of everything, controls too."""
    rows = [row for row in ordered_rows(ranking, protocol, metric) if overall(row, protocol, metric)]
    seeds = sorted({seed for row in rows for seed in row["seeds"]})
    columns = [Column("method", "left"), Column(metric), *(Column(f"seed {seed}") for seed in seeds)]
    entries = []
    for row in rows:
        by_seed = row["per_seed"].get(protocol, {})
        values = [percent(by_seed.get(str(seed), {}).get(metric)) for seed in seeds]
        texts = [label_of(row), percent_with_spread(overall(row, protocol, metric)), *values]
        entries.append([Entry(text) for text in texts])
    return Table(title, columns, entries, mark_notes(rows))


def _to_best(material: PageMaterial, ranking: Ranking, protocol: str) -> Figure | None:
    metric = material.metric
    tests = ranking["tests"].get(protocol, {}).get(metric)
    table = exploratory_table(ranking, protocol, metric)
    if tests is None or table is None:
        return None
    rows = [
        Whisker(
            label=pair["label"],
            value=100 * pair["test"]["difference"],
            low=100 * pair["test"]["low"],
            high=100 * pair["test"]["high"],
            tip=f"{pair['label']}: {points_with_interval(pair['test'])}, p BH {p_value(pair['p_bh'])}",
            hollow=pair["label"] in tests["tier"] or pair["p_holm"] is None,
        )
        for pair in tests["pairs"]
    ]
    name = f"Difference to {tests['best']}, {protocol} ranking{material.suffix(ranking)}"
    picture = draw(name, lambda width: whiskers(rows, width, DIFFERENCE.format(metric)))
    note = (
        "Whiskers: 95 % interval for other users and trainings. A hollow dot: not distinguishable from the "
        "best, or trained once."
    )
    return Figure(name, [picture], table, [note])
