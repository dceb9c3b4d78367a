"""What each ablation costs, against the method that it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grasp_bench.report.charts.row_charts import Whisker, whiskers
from grasp_bench.report.document import Figure, Head, Table
from grasp_bench.report.formatting import not_told_apart, p_value, points_with_interval
from grasp_bench.report.page.blocks import PageSection
from grasp_bench.report.schema import Ranking
from grasp_bench.report.sections.significance import (
    columns_of_tests,
    entries_of_test,
    notes_of_tests,
    trainings_of,
)
from grasp_bench.report.significance import AblationDelta

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData

NOTE = "Left of the line: worse than the whole method. A hollow dot: corrected p of 0.05 or more."


def ablations_section(data: PageData) -> PageSection | None:
    """A figure for each ranking and protocol that has ablations."""
    figures = [
        _figure(data, ranking, protocol, deltas)
        for ranking in data.board["rankings"]
        for protocol in data.protocols(ranking)
        if (deltas := data.deltas_of(ranking, protocol))
    ]
    return PageSection("ablations", "Ablations", figures) if figures else None


def _figure(data: PageData, ranking: Ranking, protocol: str, deltas: Sequence[AblationDelta]) -> Figure:
    bases = list(dict.fromkeys(delta["base"] for delta in deltas))
    rows = [
        Whisker.of_difference(
            delta["label"], delta["test"],
            f"{delta['label']} less {delta['base']}: {points_with_interval(delta['test'])}",
            hollow=not_told_apart(delta["p_bh"]),
        )
        for delta in deltas
    ]  # fmt: skip
    base = bases[0] if len(bases) == 1 else "its base"
    name = f"Ablations against {base}, {protocol} ranking{data.suffix(ranking)}"
    title = f"points of {data.metric} in percent, less {base if len(base) < 20 else 'the base'}"
    table = _table(data.metric, protocol, deltas)
    return Figure.of_one(name, lambda width: whiskers(rows, width, title), table, [NOTE])


def _table(metric: str, protocol: str, deltas: Sequence[AblationDelta]) -> Table:
    tests = [delta["test"] for delta in deltas]
    columns = columns_of_tests(tests)
    heads: list[Head] = ["ablation", "base", "trainings", *columns, "p BH"]
    rows = [
        [delta["label"], delta["base"], trainings_of(delta["test"]),
         *entries_of_test(delta["test"], columns), p_value(delta["p_bh"])]
        for delta in deltas
    ]  # fmt: skip
    title = f"{metric} of ablations less their base, {protocol} ranking"
    return Table.of_texts(title, heads, rows, notes_of_tests(tests), names=2)
