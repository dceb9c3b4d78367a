"""A paper's figures beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grasp_bench.report.document import Table
from grasp_bench.report.numbers import percent, percent_with_interval
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.whiskers import Dot, dots
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, Folded, Heading, PageSection, Part, Prose
from grasp_bench.report.schema import PublishedFigure, Ranking
from grasp_bench.report.sections.published import MAIN_CUTOFF, published_section

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
    tables = list(section.tables)
    for metric in METRICS:
        chosen = [figure for figure in overall if figure["metric"] == metric]
        if chosen and tables:
            yield _figure(material, ranking, metric, chosen, tables[0])
    if len(tables) > 1:
        yield Folded("By cutoff and by group", tables[1:])


def _figure(
    material: PageMaterial, ranking: Ranking, metric: str, figures: Sequence[PublishedFigure], table: Table
) -> Figure:
    rows = []
    for figure in figures:
        told = percent_with_interval(figure["ours"], figure["low"], figure["high"])
        low, high = (None if end is None else 100 * end for end in (figure["low"], figure["high"]))
        label, ours = figure["label"], 100 * figure["ours"]
        rows.append(Dot(label, "ours", ours, f"{label}, ours: {told}", low, high))
        theirs = f"{label}, published: {percent(figure['theirs'])}"
        rows.append(Dot(label, "published", 100 * figure["theirs"], theirs))
    name = f"{metric}, ours and published, sampled ranking{material.suffix(ranking)}"
    picture = draw(name, lambda width: dots(rows, width, f"{metric}, percent"))
    return Figure(name, [picture], table)
