"""Where a method is good: groups of users, items, targets and steps; and what accuracy misses."""

from __future__ import annotations

from collections.abc import Iterator

from grasp_bench.report.numbers import percent_with_spread
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.whiskers import Dot, dots
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, Folded, PageSection, Part, Picture
from grasp_bench.report.schema import Ranking
from grasp_bench.report.sections.groups import GROUP_HEADS, beyond_table, group_metrics, group_tables
from grasp_bench.report.sections.marks import label_of
from grasp_bench.report.sections.ranking import ordered_rows

PAIRS = {
    "users": ("head_user", "tail_user"),
    "items": ("head_item", "tail_item"),
    "targets": ("repeat", "new"),
    "times": ("same_time", "later"),
    "ids": ("ascending", "descending"),
    "transitions": ("seen_transition", "unseen_transition"),
}


def groups_section(material: PageMaterial) -> PageSection | None:
    """The metric that ranks by group, other metrics and measures beyond accuracy folded."""
    parts = [part for ranking in material.board["rankings"] for part in _ranking(material, ranking)]
    return PageSection("groups", "Groups", parts) if parts else None


def _ranking(material: PageMaterial, ranking: Ranking) -> Iterator[Part]:
    metric, protocols = material.metric, material.protocols(ranking)
    for protocol in protocols:
        tables = group_tables(ranking, protocol, metric)
        pictures = [one for what in PAIRS if (one := _picture(material, ranking, protocol, what))]
        if tables and pictures:
            name = f"{metric} by group, {protocol} ranking{material.suffix(ranking)}"
            yield Figure(name, pictures, tables.pop(0))
        yield from tables
    others = [
        table
        for protocol in protocols
        for name in group_metrics(ranking, metric)
        for table in group_tables(ranking, protocol, name)
    ]
    if others:
        yield Folded(f"Groups by other metrics{material.suffix(ranking)}", others)
    beyond = beyond_table(ranking, metric) if protocols else None
    if beyond is not None:
        yield Folded(f"Beyond accuracy: coverage, novelty, concentration{material.suffix(ranking)}", [beyond])


def _picture(material: PageMaterial, ranking: Ranking, protocol: str, what: str) -> Picture | None:
    """Two groups that divide all users; nothing where one of them is empty."""
    metric, rows = material.metric, []
    for row in ordered_rows(ranking, protocol, metric):
        stats = [row["values"].get(protocol, {}).get(group, {}).get(metric) for group in PAIRS[what]]
        if row["kind"] == "control" or not all(stats):
            continue
        for group, stat in zip(PAIRS[what], stats, strict=True):
            told = f"{label_of(row)}, {GROUP_HEADS[group]}: {percent_with_spread(stat)}"
            if stat is not None:
                rows.append(Dot(label_of(row), GROUP_HEADS[group], 100 * stat["mean"], told))
    if not rows:
        return None
    name = f"{metric} of {' and '.join(GROUP_HEADS[g] for g in PAIRS[what])}, {protocol} ranking"
    return draw(name, lambda width: dots(rows, width, f"{metric}, percent"))
