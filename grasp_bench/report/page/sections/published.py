"""Published figures beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grasp_bench.report.document import Table
from grasp_bench.report.numbers import percent, percent_with_interval
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.whiskers import Dot, dots
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, Folded, Heading, PageSection, Part, Prose
from grasp_bench.report.schema import PROTOCOLS, PublishedFigure, Ranking, SourcedEntry
from grasp_bench.report.sections.published import MAIN_CUTOFF, published_section, sourced_table

METRICS = (f"NDCG@{MAIN_CUTOFF}", f"HR@{MAIN_CUTOFF}")


def paper_section(material: PageMaterial) -> PageSection | None:
    """Ours and theirs of every method that a paper has too; None where the spec names no paper."""
    parts = [part for ranking in material.board["rankings"] for part in _ranking(material, ranking)]
    return PageSection("paper", "Paper against ours", parts) if parts else None


def _ranking(material: PageMaterial, ranking: Ranking) -> Iterator[Part]:
    section, found = published_section(ranking, material.suffix(ranking)), ranking["published"]
    if section is None or found is None:
        return
    if len(material.board["rankings"]) > 1:
        yield Heading(section.title)
    yield Prose(section.lines, listed=True)
    overall = [figure for figure in found["figures"] if figure["group"] == "overall"]
    pictured = []
    if overall:
        pictured.append(("sampled", section.tables[0], {m: _pairs(overall, m) for m in METRICS}))
    for protocol in PROTOCOLS:
        if table := sourced_table(ranking, protocol, MAIN_CUTOFF):
            entries = [entry for entry in found["sourced"] if entry["protocol"] == protocol]
            pictured.append((protocol, table, {m: _rows(entries, m) for m in METRICS}))
    for protocol, table, rows in pictured:
        for metric in METRICS:
            if rows[metric]:
                name = f"{metric}, ours and published, {protocol} ranking{material.suffix(ranking)}"
                yield _figure(name, f"{metric}, percent", rows[metric], table)
    if rest := [table for table in section.tables if table not in [each for _, each, _ in pictured]]:
        yield Folded("By cutoff and by group", rest)


def _pairs(figures: Sequence[PublishedFigure], metric: str) -> list[Dot]:
    """Ours and theirs of each method that the paper's tables have too."""
    chosen = [figure for figure in figures if figure["metric"] == metric]
    return [dot for figure in chosen for dot in (_ours(figure, figure["label"]), _theirs(figure))]


def _rows(entries: Sequence[SourcedEntry], metric: str) -> list[Dot]:
    """Theirs of each row with a source of its own, and ours where there is any."""
    found = []
    for entry in entries:
        if metric not in entry["theirs"]:
            continue
        label = ", ".join(filter(None, [entry["published"], entry["source"]["reference"], entry["loss"]]))
        found += [_ours(figure, label) for figure in entry["figures"] if figure["metric"] == metric]
        theirs = entry["theirs"][metric]
        found.append(Dot(label, "published", 100 * theirs, f"{label}, published: {percent(theirs)}"))
    return found


def _ours(figure: PublishedFigure, label: str) -> Dot:
    told = percent_with_interval(figure["ours"], figure["low"], figure["high"])
    low, high = (None if end is None else 100 * end for end in (figure["low"], figure["high"]))
    return Dot(label, "ours", 100 * figure["ours"], f"{figure['label']}, ours: {told}", low, high)


def _theirs(figure: PublishedFigure) -> Dot:
    told = f"{figure['label']}, published: {percent(figure['theirs'])}"
    return Dot(figure["label"], "published", 100 * figure["theirs"], told)


def _figure(name: str, axis: str, rows: Sequence[Dot], table: Table) -> Figure:
    return Figure(name, [draw(name, lambda width: dots(rows, width, axis))], table)
