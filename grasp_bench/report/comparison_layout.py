"""The explanation of a pair as a document, in plain words first."""

from __future__ import annotations

from collections.abc import Sequence

from grasp_bench.report.comparison_pair import Pair, ProtocolPair
from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.formatting import UNITS, count, p_value, percent, points, probability
from grasp_bench.report.schema import PairTest
from grasp_bench.report.sections.groups import GROUP_HEADS
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
    groups = [(GROUP_HEADS.get(g["group"], g["group"]), g["first"], g["second"]) for g in found["groups"]]
    seeds = [(f"seed {s['seed']}", s["first"], s["second"]) for s in found["seeds"]]
    tables = [
        Table.of_texts(f"{metric}, all users", columns, tested, notes_of_tests([test])),
        _means(f"{metric} by group (means over seeds, not tested)", names, groups),
        _metrics(names, found),
        _means(f"{metric} by seed", names, seeds),
    ]
    words = in_words(*names, metric, test)
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


def _metrics(names: tuple[str, str], found: ProtocolPair) -> Table:
    rows = [
        [m["metric"], percent(m["first"]), percent(m["second"]), points(m["difference"]), p_value(m["p"])]
        for m in found["metrics"]
    ]
    title = "All metrics (p of users and trainings crossed, uncorrected)"
    return Table.of_texts(title, ["metric", *names, "difference", "p"], rows)
