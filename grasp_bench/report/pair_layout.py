"""The explanation of a pair as a document, in plain words first."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Column, Document, Entry, Section, Table
from grasp_bench.report.numbers import UNITS, count, p_value, percent
from grasp_bench.report.pair import Pair, ProtocolPair
from grasp_bench.report.schema import PairTest
from grasp_bench.report.sections.evidence import METHOD_NOTE, columns_of_tests, entries_of_test
from grasp_bench.report.sections.groups import GROUP_HEADS
from grasp_bench.stats.comparison import ALPHA


def lay_out_pair(pair: Pair) -> Document:
    """Arrange the explanation: settings, then each protocol with words, tests, groups, metrics and seeds."""
    title = f"{pair['first']} against {pair['second']}"
    sections = [_settings(pair), *(_protocol(name, pair, found) for name, found in pair["protocols"].items())]
    return Document(title, [_seeds_line(pair), UNITS], sections)


def in_words(first: str, second: str, metric: str, test: PairTest) -> list[str]:
    """Say what the tests say: direction, size and certainty, then who gains and loses."""
    if test["gained"] == test["lost"] == 0:
        return [f"No user differs in {metric} between {first} and {second}."]
    certain = test["p_permutation"] < ALPHA
    side = "above" if test["difference"] > 0 else "below" if test["difference"] < 0 else "level with"
    lines = [
        f"{first} is {side} {second} by {100 * abs(test['difference']):.2f} points of {metric} "
        f"(95 % interval {100 * test['low']:+.2f} to {100 * test['high']:+.2f}).",
        f"Chance alone is {'an unlikely' if certain else 'a possible'} reason: "
        f"permutation p {p_value(test['p_permutation'])}, uncorrected and exploratory.",
        f"{count(test['gained'])} of {count(test['n'])} users gain, {count(test['lost'])} lose, "
        f"{count(test['n'] - test['gained'] - test['lost'])} see no difference.",
    ]
    if (test["p_wilcoxon"] < ALPHA) != certain:
        lines.append(
            "Wilcoxon's test says otherwise: it weighs how many users gain or lose, not by how much in sum."
        )
    return lines


def _seeds_line(pair: Pair) -> str:
    ours, theirs = (", ".join(map(str, seeds)) for seeds in (pair["first_seeds"], pair["second_seeds"]))
    if not (ours or theirs):
        return "Neither has a seed."
    if not (ours and theirs):
        return f"Seeds: {ours or theirs}, each against the one row of what has none."
    return f"Seeds: {ours}." if ours == theirs else f"Seeds: {ours} against {theirs} (none shared)."


def _settings(pair: Pair) -> Section:
    if not pair["settings"]:
        return Section("Settings that differ", lines=["None: the two differ in seed alone."])
    columns = [Column("setting", "left"), Column(pair["first"], "left"), Column(pair["second"], "left")]
    rows = [
        [Entry(key), Entry(_shown(ours)), Entry(_shown(theirs))] for key, ours, theirs in pair["settings"]
    ]
    return Section("Settings that differ", [Table("", columns, rows)])


def _protocol(name: str, pair: Pair, found: ProtocolPair) -> Section:
    metric = pair["metric"]
    tests = Table(f"{metric}, all users", columns_of_tests(), [entries_of_test(found["test"])], [METHOD_NOTE])
    groups = [(GROUP_HEADS.get(g["group"], g["group"]), g["first"], g["second"]) for g in found["groups"]]
    seeds = [(f"seed {s['seed']}", s["first"], s["second"]) for s in found["seeds"]]
    tables = [
        tests,
        _means(f"{metric} by group (means over seeds, not tested)", pair, groups),
        _metrics(pair, found),
        _means(f"{metric} by seed", pair, seeds),
    ]
    words = in_words(pair["first"], pair["second"], metric, found["test"])
    return Section(f"{name} ranking", [table for table in tables if table.rows], words)


def _means(title: str, pair: Pair, rows: list[tuple[str, float, float]]) -> Table:
    columns = [Column("", "left"), Column(pair["first"]), Column(pair["second"]), Column("difference")]
    entries = [
        [Entry(name), Entry(percent(ours)), Entry(percent(theirs)), Entry(f"{100 * (ours - theirs):+.2f}")]
        for name, ours, theirs in rows
    ]
    return Table(title, columns, entries)


def _metrics(pair: Pair, found: ProtocolPair) -> Table:
    columns = [Column("metric", "left"), Column(pair["first"]), Column(pair["second"])]
    columns += [Column("difference"), Column("p t")]
    rows = [
        [
            Entry(m["metric"]),
            Entry(percent(m["first"])),
            Entry(percent(m["second"])),
            Entry(f"{100 * m['difference']:+.2f}"),
            Entry(p_value(m["p_t"])),
        ]
        for m in found["metrics"]
    ]
    return Table("All metrics (p of the paired t-test, uncorrected)", columns, rows)


def _shown(value: object) -> str:
    return BLANK if value is None else str(value)
