"""The explanation of a pair as a document, in plain words first."""

from __future__ import annotations

from collections.abc import Sequence

from grasp_bench.report.comparison_pair import GroupDifference, Pair, ProtocolPair
from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.formatting import (
    GROUP_HEADS,
    UNITS,
    count,
    not_told_apart,
    p_value,
    percent,
    points,
    points_with_interval,
    probability,
)
from grasp_bench.report.schema import PairTest
from grasp_bench.report.sections.significance import columns_of_tests, entries_of_test, notes_of_tests
from grasp_bench.stats.levels import ALPHA


def lay_out_pair(pair: Pair) -> Document:
    """Arrange the explanation: settings, then each protocol with words, tests, groups, metrics and seeds."""
    title = f"{pair['first']} against {pair['second']}"
    sections = [_settings(pair), *(_protocol(name, pair, found) for name, found in pair["protocols"].items())]
    return Document(title, [_seeds_line(pair), UNITS], sections)


def in_words(first: str, second: str, metric: str, test: PairTest) -> list[str]:
    """Say what the tests say: direction, size and certainty, then who gains and loses."""
    if test["gained"] == test["lost"] == 0:
        return [f"No user differs in {metric} between {first} and {second}."]
    side = "above" if test["difference"] > 0 else "below" if test["difference"] < 0 else "level with"
    return [
        f"{first} is {side} {second} by {100 * abs(test['difference']):.2f} points of {metric} "
        f"(95 % interval {100 * test['low']:+.2f} to {100 * test['high']:+.2f}).",
        _certainty(test),
        f"A new user gets more from {first} with probability {probability(test['superiority'])}, both "
        "freshly trained, ties counting half.",
        f"{count(test['gained'])} of {count(test['n'])} users gain, {count(test['lost'])} lose, "
        f"{count(test['n'] - test['gained'] - test['lost'])} see no difference.",
    ]


def groups_in_words(names: tuple[str, str], groups: Sequence[GroupDifference]) -> list[str]:
    """Say in which groups the first is above, below, or not distinguished; nothing where none was tested."""
    by_answer: dict[str, list[str]] = {}
    for group in groups:
        if group["p"] is not None:
            side = "above" if group["difference"] > 0 else "below"
            answer = "not distinguished" if not_told_apart(group["p"]) else side
            by_answer.setdefault(answer, []).append(GROUP_HEADS.get(group["group"], group["group"]))
    if not by_answer:
        return []
    order = ("above", "below", "not distinguished")
    told = "; ".join(f"{each} in {', '.join(by_answer[each])}" for each in order if each in by_answer)
    return [f"By group, {names[0]} against {names[1]}: {told} (p < 0.05, uncorrected and exploratory)."]


def _certainty(test: PairTest) -> str:
    if test["p"] is None:
        these = "these two trainings" if test["trainings"] == [1, 1] else "these trainings"
        return (
            f"This speaks of {these}: of a method that was trained once nothing is known of what another "
            "seed would give. The interval is over users alone."
        )
    reason = "an unlikely" if test["p"] < ALPHA else "a possible"
    told = f"Chance in users and trainings is {reason} reason: p {p_value(test['p'])}"
    return f"{told}, uncorrected and exploratory."


def _seeds_line(pair: Pair) -> str:
    ours, theirs = (", ".join(map(str, seeds)) for seeds in (pair["first_seeds"], pair["second_seeds"]))
    if not (ours or theirs):
        return "Neither has a seed."
    if not (ours and theirs):
        return f"Seeds: {ours or theirs}, each against the one row of what has none."
    return f"Seeds: {ours}." if ours == theirs else f"Seeds: {ours} against {theirs}."


def _settings(pair: Pair) -> Section:
    if not pair["settings"]:
        return Section("Settings that differ", lines=["None: the two differ in seed alone."])
    rows = [
        [key, *(BLANK if value is None else str(value) for value in values)]
        for key, *values in pair["settings"]
    ]
    heads = ["setting", pair["first"], pair["second"]]
    return Section("Settings that differ", [Table.of_texts("", heads, rows, names=3)])


def _protocol(name: str, pair: Pair, found: ProtocolPair) -> Section:
    metric = pair["metric"]
    test, names = found["test"], (pair["first"], pair["second"])
    columns = columns_of_tests([test])
    tested = [entries_of_test(test, columns)]
    seeds = [(f"seed {s['seed']}", s["first"], s["second"]) for s in found["seeds"]]
    tables = [
        Table.of_texts(f"{metric}, all users", columns, tested, notes_of_tests([test])),
        _groups(metric, names, found["groups"]),
        _metrics(names, found),
        _means(f"{metric} by seed", names, seeds),
    ]
    words = [*in_words(*names, metric, test), *groups_in_words(names, found["groups"])]
    return Section(f"{name} ranking", [table for table in tables if table.rows], words)


def _means(
    title: str, names: tuple[str, str], rows: Sequence[tuple[str, float | None, float | None]]
) -> Table:
    entries = [
        [name, percent(ours), percent(theirs),
         BLANK if ours is None or theirs is None else points(ours - theirs)]
        for name, ours, theirs in rows
    ]  # fmt: skip
    return Table.of_texts(title, ["", *names, "difference"], entries)


def _groups(metric: str, names: tuple[str, str], groups: Sequence[GroupDifference]) -> Table:
    """Means over seeds, and the difference with its interval where the groups' users are known."""
    entries = []
    for group in groups:
        low, high = group["low"], group["high"]
        shown = points(group["difference"])
        if low is not None and high is not None:
            shown = points_with_interval({"difference": group["difference"], "low": low, "high": high})
        means = percent(group["first"]), percent(group["second"])
        entries.append([GROUP_HEADS.get(group["group"], group["group"]), *means, shown, p_value(group["p"])])
    heads = ["", *names, "difference [95 % CI]", "p"]
    return Table.of_texts(
        f"{metric} by group (p of users and trainings crossed, uncorrected)", heads, entries
    )


def _metrics(names: tuple[str, str], found: ProtocolPair) -> Table:
    rows = [
        [m["metric"], percent(m["first"]), percent(m["second"]), points(m["difference"]), p_value(m["p"])]
        for m in found["metrics"]
    ]
    title = "All metrics (p of users and trainings crossed, uncorrected)"
    return Table.of_texts(title, ["metric", *names, "difference", "p"], rows)
