"""The tests on a board: declared hypotheses first, exploratory pairs apart from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from grasp_bench.report.document import BLANK, Column, Head, Section, Table
from grasp_bench.report.formatting import (
    count,
    effect,
    p_value,
    points_with_interval,
    probability,
    short_verdict,
)
from grasp_bench.report.page.blocks import Folded, PageSection, Prose, Verdict, Verdicts
from grasp_bench.report.schema import Board, Claim, PairTest, Ranking

if TYPE_CHECKING:  # a cached board is shown without numpy
    from grasp_bench.report.page.render import PageData

DECIDING = ("difference [95 % CI]", "p")  # what stays where there is little space
SIZES = ("P(A>B)", "d_z", "rank-biserial", "gain / lose")
OF_USERS = ("p permutation (these trainings)", "p t (these trainings)", "p Wilcoxon (these trainings)")
OF_FAMILY = {"declared": "", "noise": " about noise"}
NONE_DECLARED = "The spec declares none: all tests are exploratory."
METHOD_NOTE = (
    "CI and p: users and trainings crossed, t with Satterthwaite's degrees of freedom, two-sided; they "
    "speak of other users and other trainings, and p is what is corrected. P(A>B): the probability that a "
    "new user gets more from the first, both freshly trained. Tests over users alone speak of these "
    "trainings and decide nothing."
)
ONCE_NOTE = "No p: one of the two was trained once, and its interval is over users alone. Give it more seeds."


def claims_section(board: Board) -> Section:
    """Declared hypotheses with their verdicts in words."""
    claims = board["claims"]
    if not claims:
        return Section("Declared hypotheses", lines=[NONE_DECLARED], kind="claims")
    tests = [claim["test"] for claim in claims]
    columns = columns_of_tests(tests)
    heads: list[Head] = ["hypothesis", "by", *columns, "p Holm", Column("verdict", "left")]
    rows = [
        [f"{claim['better']} > {claim['than']}", f"{claim['metric']} {claim['protocol']}",
         *entries_of_test(claim["test"], columns), p_value(claim["p_holm"]), short_verdict(claim)]
        for claim in claims
    ]  # fmt: skip
    table = Table.of_texts("", heads, rows, [*_family_notes(claims), *notes_of_tests(tests)], names=2)
    sentences = [f"{claim['better']} > {claim['than']}: {claim['words']}." for claim in claims]
    return Section("Declared hypotheses", [table], sentences, kind="claims")


def _family_notes(claims: Sequence[Claim]) -> list[str]:
    """How many tests were corrected together, and how several looks were paid for."""
    sizes = Counter(claim["family"] for claim in claims)
    told = [
        f"{count} declared {'test' if count == 1 else 'tests'}{OF_FAMILY[name]}"
        for name, count in sizes.items()
    ]
    notes = [f"Holm's correction over {' and, by itself, over '.join(told)}."]
    looks = next((claim["looks"] for claim in claims if claim["looks"]), [])
    if len(looks) > 1:
        notes.append(
            f"Seeds were added while a hypothesis was undecided: looks at {', '.join(map(str, looks))} "
            "trainings, each of which may spend its share of alpha (Lan and DeMets 1983)."
        )
    return notes


def exploratory_table(ranking: Ranking, protocol: str, metric: str) -> Table | None:
    """Every method against the best, corrected by Benjamini–Hochberg; None with fewer than two methods."""
    tests = ranking["tests"].get(protocol, {}).get(metric)
    if tests is None or not tests["pairs"]:
        return None
    found = [pair["test"] for pair in tests["pairs"]]
    columns = columns_of_tests(found)
    heads: list[Head] = ["method", Column("trainings", spare=True), *columns, "p BH"]
    rows = [
        [pair["label"], trainings_of(pair["test"]), *entries_of_test(pair["test"], columns),
         p_value(pair["p_bh"])]
        for pair in tests["pairs"]
    ]  # fmt: skip
    notes = [f"Differences to {tests['best']}.", *notes_of_tests(found)]
    return Table.of_texts(f"Exploratory: {metric}, {protocol} ranking, against the best", heads, rows, notes)


def shuffled_table(ranking: Ranking, protocol: str, metric: str) -> Table | None:
    """What is left of the gain of methods that were trained on shuffled embeddings too; None without any."""
    tests = ranking["tests"].get(protocol, {}).get(metric)
    if tests is None or not tests["shuffled"]:
        return None
    heads: list[Head] = [
        "method", "over", Column("trainings shuffled", spare=True), "gain [95 % CI]",
        "left when shuffled [95 % CI]", "p", Column("", "left"),
    ]  # fmt: skip
    rows = [
        [each["label"], each["over"], str(each["left"]["trainings"][0]), points_with_interval(each["gain"]),
         points_with_interval(each["left"]), p_value(each["left"]["p"]), each["words"]]
        for each in tests["shuffled"]
    ]  # fmt: skip
    notes = ["Embeddings permuted among users and among items. p of what is left, uncorrected."]
    return Table.of_texts(f"{metric}, {protocol} ranking", heads, rows, notes, names=2)


def columns_of_tests(tests: Sequence[PairTest | None]) -> list[Column]:
    """A column for whatever these tests have; without space, difference and deciding p stay."""
    small = any(test is not None and test["p_wilcoxon"] is not None for test in tests)
    heads = (*DECIDING, *SIZES, *(OF_USERS if small else OF_USERS[:2]))
    return [Column(head, spare=head not in DECIDING) for head in heads]


def entries_of_test(test: PairTest | None, columns: Sequence[Column]) -> list[str]:
    """One text for each of `columns_of_tests`, empty without a test."""
    texts = {} if test is None else _texts(test)
    return [texts.get(column.head, "") for column in columns]


def notes_of_tests(tests: Sequence[PairTest | None]) -> list[str]:
    """What the columns mean, and why some have no p."""
    once = any(test is not None and test["p"] is None for test in tests)
    return [METHOD_NOTE, *([ONCE_NOTE] if once else [])]


def trainings_of(test: PairTest) -> str:
    """`3`, or `3 / 5` where the sides differ; blank for what nothing trains."""
    first, second = test["trainings"]
    return " / ".join(str(each or BLANK) for each in dict.fromkeys((first, second)))


def _texts(test: PairTest) -> dict[str, str]:
    deciding = points_with_interval(test), p_value(test["p"])
    sizes = (
        probability(test["superiority"]), effect(test["cohens_dz"]), effect(test["rank_biserial"]),
        f"{count(test['gained'])} / {count(test['lost'])}",
    )  # fmt: skip
    of_users = p_value(test["p_permutation"]), p_value(test["p_t"]), p_value(test["p_wilcoxon"])
    return dict(zip((*DECIDING, *SIZES, *OF_USERS), (*deciding, *sizes, *of_users), strict=True))


def hypotheses_section(data: PageData) -> PageSection | None:
    """A verdict each, and all tests behind them; None where nothing was ranked and nothing declared."""
    section, claims = claims_section(data.board), data.board["claims"]
    if not claims and not data.board["rankings"]:
        return None
    if not claims:
        return PageSection("hypotheses", "Declared hypotheses", [Prose(section.lines)])
    tests = Folded("All tests", section.tables)
    return PageSection("hypotheses", "Declared hypotheses", [verdicts_of(claims), tests])


def verdicts_of(claims: Sequence[Claim]) -> Verdicts:
    """What was declared, and the answers."""
    return Verdicts(
        [
            Verdict(
                kind=claim["verdict"],
                statement=f"{claim['better']} > {claim['than']} by {claim['metric']} ({claim['protocol']})",
                words=f"{claim['words']}.",
            )
            for claim in claims
        ]
    )
