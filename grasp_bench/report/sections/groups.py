"""Metrics by groups of users, items and targets, and measures beyond accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from grasp_bench.report.charts.row_charts import Dot, dots
from grasp_bench.report.document import Chart, Figure, Table
from grasp_bench.report.formatting import GROUP_HEADS, count, percent_with_spread, plain
from grasp_bench.report.page.blocks import Block, Folded, PageSection
from grasp_bench.report.rows import measured_metrics
from grasp_bench.report.schema import GROUP_TABLES, Ranking, Row
from grasp_bench.report.sections.ranking import entries_of, label_of, mark_notes, mean_of, ordered_rows

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData

TABLE_METRICS = ("NDCG@10", "HR@10", "NDCG@5", "HR@5")


def group_metrics(ranking: Ranking, metric: str) -> list[str]:
    """The metrics of the paper's Table 3 that were measured, without the one that is shown anyway."""
    measured = set(measured_metrics([ranking]))
    return [name for name in TABLE_METRICS if name in measured and name != metric]


def group_tables(ranking: Ranking, protocol: str, metric: str) -> list[Table]:
    """One metric by head and tail and by repeat and new targets, and by the step to the target.

    Groups that no method has are left out, as in results of earlier versions.
    """
    rows, tables = ordered_rows(ranking, protocol, metric), []
    for name, groups in GROUP_TABLES.items():
        present = [group for group in groups if any(group in row["values"].get(protocol, {}) for row in rows)]
        if present:
            by_group = [entries_of(rows, [mean_of(r, protocol, metric, g) for r in rows]) for g in present]
            entries = [[label_of(row), *of_row] for row, *of_row in zip(rows, *by_group, strict=True)]
            heads = ["method", *(_head(rows, group) for group in present)]
            title = f"{metric} by {name}, {protocol} ranking"
            tables.append(Table.of_texts(title, heads, entries, mark_notes(rows)))
    return tables


def beyond_table(ranking: Ranking, metric: str) -> Table | None:
    """Coverage, novelty, Gini and cross-category share, as they were measured: none is good by itself."""
    rows = ordered_rows(ranking, ranking["protocols"][0], metric)
    names = _at_cutoff(dict.fromkeys(name for row in rows for name in row["beyond"]), metric)
    if not names:
        return None
    entries = []
    for row in rows:
        if stats := row["beyond"]:
            means = (plain(stats[name]["mean"] if name in stats else None) for name in names)
            entries.append([label_of(row), *means])
    notes = ["Mean over seeds; coverage, Gini and cross-category are shares in [0, 1].", *mark_notes(rows)]
    return Table.of_texts("", ["method", *names], entries, notes)


def _head(rows: list[Row], group: str) -> str:
    """The group's name with its size where all methods agree on it."""
    sizes = {row["group_users"][group] for row in rows if group in row["group_users"]}
    return f"{GROUP_HEADS[group]} (n={count(sizes.pop())})" if len(sizes) == 1 else GROUP_HEADS[group]


def _at_cutoff(names: Iterable[str], metric: str) -> list[str]:
    """The measures at the metric's own cutoff, where there are any: five cutoffs do not fit a page."""
    cutoff = metric.partition("@")[2]
    return [name for name in names if name.partition("@")[2] == cutoff] or list(names)


PAIRS = {
    "users": ("head_user", "tail_user"),
    "items": ("head_item", "tail_item"),
    "targets": ("repeat", "new"),
    "times": ("same_time", "later"),
    "ids": ("ascending", "descending"),
    "transitions": ("seen_transition", "unseen_transition"),
}


def groups_section(data: PageData) -> PageSection | None:
    """The metric that ranks by group, other metrics and measures beyond accuracy folded."""
    blocks = [block for ranking in data.board["rankings"] for block in _ranking(data, ranking)]
    return PageSection("groups", "Groups", blocks) if blocks else None


def _ranking(data: PageData, ranking: Ranking) -> Iterator[Block]:
    metric, protocols = data.metric, data.protocols(ranking)
    for protocol in protocols:
        tables = group_tables(ranking, protocol, metric)
        pictures = [one for what in PAIRS if (one := _picture(data, ranking, protocol, what))]
        if tables and pictures:
            name = f"{metric} by group, {protocol} ranking{data.suffix(ranking)}"
            yield Figure(name, pictures, tables.pop(0))
        yield from tables
    others = [
        table
        for protocol in protocols
        for name in group_metrics(ranking, metric)
        for table in group_tables(ranking, protocol, name)
    ]
    if others:
        yield Folded(f"Groups by other metrics{data.suffix(ranking)}", others)
    beyond = beyond_table(ranking, metric) if protocols else None
    if beyond is not None:
        yield Folded(f"Beyond accuracy: coverage, novelty, concentration{data.suffix(ranking)}", [beyond])


def _picture(data: PageData, ranking: Ranking, protocol: str, what: str) -> Chart | None:
    """Two groups that divide all users; nothing where one of them is empty."""
    metric, rows = data.metric, []
    for row in ordered_rows(ranking, protocol, metric):
        stats = [mean_of(row, protocol, metric, group) for group in PAIRS[what]]
        if row["kind"] == "control" or not all(stats):
            continue
        for group, stat in zip(PAIRS[what], stats, strict=True):
            told = f"{label_of(row)}, {GROUP_HEADS[group]}: {percent_with_spread(stat)}"
            if stat is not None:
                rows.append(Dot(label_of(row), GROUP_HEADS[group], 100 * stat["mean"], told))
    if not rows:
        return None
    name = f"{metric} of {' and '.join(GROUP_HEADS[g] for g in PAIRS[what])}, {protocol} ranking"
    return Chart(name, lambda width: dots(rows, width, f"{metric}, percent"))
