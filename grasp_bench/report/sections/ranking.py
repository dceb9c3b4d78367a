"""The ranking tables: methods by one metric under one protocol, and the signs beside their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from grasp_bench.report.charts.row_charts import Dot, Whisker, dots, whiskers
from grasp_bench.report.document import BLANK, Column, Entry, Figure, Head, Table, mark_best
from grasp_bench.report.formatting import (
    GROUP_HEADS,
    count,
    p_value,
    percent,
    percent_with_spread,
    points_with_interval,
)
from grasp_bench.report.page.blocks import Block, Folded, Heading, PageSection, Prose
from grasp_bench.report.schema import Marked, Ranking, RankingTests, Row, Stat
from grasp_bench.report.sections.significance import exploratory_table, shuffled_table

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData

# Few enough for a terminal; NDCG@1, HR@1 and MRR@1 are one number, and CSV and JSON hold them all.
SHOWN = ("NDCG@10", "HR@10", "MRR@10", "NDCG@5", "HR@5", "NDCG@20", "HR@20", "HR@1")
MOST_COLUMNS = 6
OVERALL = "overall"
COVERAGE, NEARLY_ONE_LIST = "coverage@10", 0.005
GROUP_NOTE = "Means of one group, not tested: no ≈. Compare two methods for intervals by group."
TIER_NOTE = "≈ not distinguishable from the best: users and trainings crossed, Holm-corrected p ≥ 0.05."


def ranking_table(ranking: Ranking, protocol: str, metric: str, group: str = OVERALL) -> Table:
    """Methods by descending mean over the seeds that are there; a place in brackets lacks some of them.

    A method whose text was made from held-out items, and a control, stand where their means put them,
    without a place. The tests are of all users: a ranking by one `group` has no tier.
    """
    rows = ordered_rows(ranking, protocol, metric, group)
    metrics = _shown_metrics(rows, protocol, metric)
    whole = group == OVERALL
    tests = ranking["tests"].get(protocol, {}).get(metric) if whole else None
    spare = [Column(name, spare=True) for name in metrics[1:]]
    heads: list[Head] = ["#", Column("method", "left"), "seeds", metric, *spare, "users"]
    by_metric = [entries_of(rows, [mean_of(row, protocol, name, group) for row in rows]) for name in metrics]
    equals = [] if tests is None else [label for label in tests["tier"] if label != tests["best"]]
    entries, place = [], 0
    for row, *values in zip(rows, *by_metric, strict=True):
        number = BLANK
        if mean_of(row, protocol, metric, group) is not None and has_place(row):
            place += 1
            number = f"({place})" if _lacks_seeds(row) else str(place)
        name = Entry(label_of(row), tier=row["label"] in equals)
        users = row["users"] if whole else row["group_users"].get(group)
        entries.append([number, name, seeds_of(row), *values, count(users)])
    notes = [*seed_notes(rows), *mark_notes(rows), *not_above_controls(rows, protocol, metric, group)]
    if protocol == "full" and whole:
        notes += alike_lists(rows)
    notes += ranking["warnings"]
    if tests is not None:
        notes[:0] = _tier_notes(tests)
    elif not whole:
        notes.insert(0, GROUP_NOTE)
    of_group = "" if whole else f" of {GROUP_HEADS[group]}"
    return Table.of_texts(f"{protocol} ranking by {metric}{of_group}", heads, entries, notes, names=0)


def _tier_notes(tests: RankingTests) -> list[str]:
    """What the sign of the tier means, or why nobody has it."""
    once = [pair["label"] for pair in tests["pairs"] if pair["p_holm"] is None]
    notes = [TIER_NOTE] if len(tests["tier"]) > 1 else []
    if tests["pairs"] and not tests["tier"]:
        named = tests["best"] if once == [pair["label"] for pair in tests["pairs"]] else ", ".join(once)
        notes.append(f"No ≈: {named} was trained once, which says nothing of another training. Add seeds.")
    elif once:
        notes.append(f"Neither ≈ nor worse, trained once: {', '.join(once)}. Add seeds to tell.")
    return notes


def alike_lists(rows: Sequence[Row]) -> list[str]:
    """Name trained methods whose lists are nearly the same for everybody, which a mean may hide."""
    alike = [
        row["label"]
        for row in rows
        if row["seeds"] and (stat := row["beyond"].get(COVERAGE)) and stat["mean"] < NEARLY_ONE_LIST
    ]
    if not alike:
        return []
    few = f"all top tens hold less than {100 * NEARLY_ONE_LIST:g} % of the items"
    return [f"Nearly one list for everybody, {few}: {', '.join(alike)}."]


def seed_notes(rows: Sequence[Row]) -> list[str]:
    """Which methods lack seeds, and what that does to their figures; nothing when none does."""
    partial = [row for row in rows if row["seeds"] and _lacks_seeds(row)]
    if not partial:
        return []
    by_seeds: dict[str, list[str]] = {}
    for row in partial:
        by_seeds.setdefault(", ".join(map(str, row["seeds"])), []).append(row["label"])
    named = "; ".join(f"{seeds} alone: {', '.join(labels)}" for seeds, labels in by_seeds.items())
    return [f"Places in brackets: means over fewer seeds than planned ({named})."]


def ordered_rows(ranking: Ranking, protocol: str, metric: str, group: str = OVERALL) -> list[Row]:
    """Rows by descending mean of the metric; rows without it at the end, by name."""

    def key(row: Row) -> tuple[bool, float, str]:
        stat = mean_of(row, protocol, metric, group)
        return stat is None, -stat["mean"] if stat else 0.0, row["label"]

    return sorted(ranking["rows"], key=key)


def mean_of(row: Row, protocol: str, metric: str, group: str = OVERALL) -> Stat | None:
    """The method's mean over a group of users and the seeds that are there, None when there is none."""
    return row["values"].get(protocol, {}).get(group, {}).get(metric)


def values_of_seeds(row: Row, protocol: str, metric: str, seeds: Sequence[int]) -> list[str]:
    """The metric of each of these seeds, blank where it is not there."""
    by_seed = row["per_seed"].get(protocol, {})
    return [percent(by_seed.get(str(seed), {}).get(metric)) for seed in seeds]


def entries_of(rows: Sequence[Row], stats: Sequence[Stat | None]) -> list[Entry]:
    """A column of values, the best and second of those that may be ranked marked."""
    marks = mark_best(
        [stat["mean"] if stat and has_place(row) else None for row, stat in zip(rows, stats, strict=True)]
    )
    return [Entry(percent_with_spread(stat), mark) for stat, mark in zip(stats, marks, strict=True)]


def not_above_controls(rows: Sequence[Row], protocol: str, metric: str, group: str = OVERALL) -> list[str]:
    """A sentence for the best control that nothing has trained, and what is not above it."""
    untrained = [row for row in rows if row["kind"] == "control" and row["coordinates"].get("name")]
    means = {
        row["label"]: stat["mean"] for row in untrained if (stat := mean_of(row, protocol, metric, group))
    }
    if not means:
        return []
    best = max(means, key=lambda label: means[label])
    methods = {
        label_of(row): mean_of(row, protocol, metric, group) for row in rows if row["kind"] != "control"
    }
    below = [label for label, stat in methods.items() if stat and stat["mean"] <= means[best]]
    if not below:
        return []
    return [f"Not above {best} {CONTROL_MARK} (untrained): {', '.join(below)}."]


def _shown_metrics(rows: list[Row], protocol: str, metric: str) -> list[str]:
    available = {name for row in rows for name in row["values"].get(protocol, {}).get("overall", {})}
    others = [name for name in SHOWN if name in available and name != metric]
    return [metric, *others[: MOST_COLUMNS - 1]]


def seeds_of(row: Row) -> str:
    """`3`, or `1 of 3` of a method that lacks some; blank for what has no seed."""
    if not row["planned_seeds"] and not row["seeds"]:
        return BLANK
    finished, planned = len(row["seeds"]), len(row["planned_seeds"])
    return f"{finished} of {planned}" if _lacks_seeds(row) else str(finished)


def _lacks_seeds(row: Row) -> bool:
    return not set(row["planned_seeds"]) <= set(row["seeds"])


LEAK_MARK = "†"
CONTROL_MARK = "°"
IMPORTED_MARK = "‡"
SUBSTITUTED_MARK = "§"
MARK_OF_KIND = {"control": CONTROL_MARK, "imported": IMPORTED_MARK}
CONTROL_NOTE = f"{CONTROL_MARK} control: shows what a figure is worth; has no place and is never the best."
IMPORTED_NOTE = f"{IMPORTED_MARK} imported: ranked by the scores of somebody else's run."


def label_of(row: Marked) -> str:
    """The method's name and its signs: leaks, substituted texts, controls, imported runs."""
    marks = LEAK_MARK if row["leaks"] else ""
    marks += (SUBSTITUTED_MARK if row["substituted"] else "") + MARK_OF_KIND.get(row["kind"], "")
    return f"{row['label']} {marks}" if marks else row["label"]


def has_place(row: Marked) -> bool:
    """True for what may be ranked, and be the best."""
    return not row["leaks"] and row["kind"] != "control"


def mark_notes(rows: Sequence[Marked]) -> list[str]:
    """What the signs mean; nothing when there are none."""
    notes = []
    if any(row["kind"] == "control" for row in rows):
        notes.append(CONTROL_NOTE)
    if any(row["kind"] == "imported" for row in rows):
        notes.append(IMPORTED_NOTE)
    if sources := sorted({source for row in rows for source in row["leaks"]}):
        listed = ", ".join(sources)
        notes.append(f"{LEAK_MARK} leaks: made from held-out items ({listed}); has no place in the ranking.")
    lines: dict[str, list[str]] = {}
    for row in rows:
        for line in row["substituted"]:
            lines.setdefault(line, []).append(row["label"])
    notes += [f"{SUBSTITUTED_MARK} {line} ({', '.join(labels)})." for line, labels in lines.items()]
    return notes


SERIES = ("method", "control", "one of its seeds")
WHISKERS_NOTE = (
    "Whiskers: 95 % interval for other users and trainings. A hollow dot: not distinguishable from the best, "
    "or trained once."
)


def board_section(data: PageData) -> PageSection | None:
    """Every ranking under every protocol; None where nothing was ranked."""
    blocks = [block for ranking in data.board["rankings"] for block in _ranking(data, ranking)]
    return PageSection("board", "Leaderboard", blocks) if blocks else None


def _ranking(data: PageData, ranking: Ranking) -> Iterator[Block]:
    if ranking["why_apart"]:
        yield Prose([f"Ranked apart: {ranking['why_apart']}."])
    for protocol in data.protocols(ranking):
        yield Heading(f"{protocol.capitalize()} ranking{data.suffix(ranking)}")
        yield ranking_table(ranking, protocol, data.metric)
        yield from filter(None, [_means(data, ranking, protocol), _to_best(data, ranking, protocol)])
        shuffled = shuffled_table(ranking, protocol, data.metric)
        if shuffled:
            yield Folded("What is left on shuffled embeddings", [shuffled])


def _means(data: PageData, ranking: Ranking, protocol: str) -> Figure | None:
    """Means, and the seeds that they are of; controls by another sign."""
    metric, rows = data.metric, []
    for row in ordered_rows(ranking, protocol, data.metric):
        stat = mean_of(row, protocol, metric)
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
    name = f"{metric} of every method, {protocol} ranking{data.suffix(ranking)}"
    table, axis = _means_table(ranking, protocol, metric, name), f"{metric}, percent"
    return Figure.of_one(name, lambda width: dots(rows, width, axis, series=SERIES, zero=True), table)


def _means_table(ranking: Ranking, protocol: str, metric: str, title: str) -> Table:
    """Means and seeds of everything, controls too."""
    rows = [row for row in ordered_rows(ranking, protocol, metric) if mean_of(row, protocol, metric)]
    seeds = sorted({seed for row in rows for seed in row["seeds"]})
    entries = [
        [label_of(row), percent_with_spread(mean_of(row, protocol, metric)),
         *values_of_seeds(row, protocol, metric, seeds)]
        for row in rows
    ]  # fmt: skip
    return Table.of_texts(title, ["method", metric, *(f"seed {s}" for s in seeds)], entries, mark_notes(rows))


def _to_best(data: PageData, ranking: Ranking, protocol: str) -> Figure | None:
    metric = data.metric
    tests = ranking["tests"].get(protocol, {}).get(metric)
    table = exploratory_table(ranking, protocol, metric)
    if tests is None or table is None:
        return None
    rows = [
        Whisker.of_difference(
            pair["label"], pair["test"],
            f"{pair['label']}: {points_with_interval(pair['test'])}, p BH {p_value(pair['p_bh'])}",
            hollow=pair["label"] in tests["tier"] or pair["p_holm"] is None,
        )
        for pair in tests["pairs"]
    ]  # fmt: skip
    name = f"Difference to {tests['best']}, {protocol} ranking{data.suffix(ranking)}"
    axis = f"points of {metric} in percent, less the best"
    return Figure.of_one(name, lambda width: whiskers(rows, width, axis), table, [WHISKERS_NOTE])
