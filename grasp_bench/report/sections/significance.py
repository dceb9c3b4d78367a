"""The tests on a board: declared hypotheses first, exploratory pairs apart from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from grasp_bench.report.document import BLANK, Column, Entry, Section, Table
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
    from grasp_bench.report.page.material import PageMaterial

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
    columns = [Column("hypothesis", "left"), Column("by", "left"), *columns_of_tests(tests)]
    columns += [Column("p Holm"), Column("verdict", "left")]
    rows = [_claim_row(claim, columns) for claim in claims]
    table = Table("", columns, rows, [*_family_notes(claims), *notes_of_tests(tests)])
    return Section("Declared hypotheses", [table], [_sentence(claim) for claim in claims], kind="claims")


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
    columns = [
        Column("method", "left"),
        Column("trainings", spare=True),
        *columns_of_tests(found),
        Column("p BH"),
    ]
    rows = [
        [Entry(pair["label"]), Entry(trainings_of(pair["test"])), *entries_of_test(pair["test"], columns),
         Entry(p_value(pair["p_bh"]))]
        for pair in tests["pairs"]
    ]  # fmt: skip
    notes = [f"Differences to {tests['best']}.", *notes_of_tests(found)]
    return Table(f"Exploratory: {metric}, {protocol} ranking, against the best", columns, rows, notes)


def shuffled_table(ranking: Ranking, protocol: str, metric: str) -> Table | None:
    """What is left of the gain of methods that were trained on shuffled embeddings too; None without any."""
    tests = ranking["tests"].get(protocol, {}).get(metric)
    if tests is None or not tests["shuffled"]:
        return None
    columns = [
        Column("method", "left"), Column("over", "left"), Column("trainings shuffled", spare=True),
        Column("gain [95 % CI]"), Column("left when shuffled [95 % CI]"), Column("p"), Column("", "left"),
    ]  # fmt: skip
    rows = [
        [Entry(each["label"]), Entry(each["over"]), Entry(str(each["left"]["trainings"][0])),
         Entry(points_with_interval(each["gain"])), Entry(points_with_interval(each["left"])),
         Entry(p_value(each["left"]["p"])), Entry(each["words"])]
        for each in tests["shuffled"]
    ]  # fmt: skip
    notes = ["Embeddings permuted among users and among items. p of what is left, uncorrected."]
    return Table(f"{metric}, {protocol} ranking", columns, rows, notes)


def columns_of_tests(tests: Sequence[PairTest | None]) -> list[Column]:
    """A column for whatever these tests have; without space, difference and deciding p stay."""
    small = any(test is not None and test["p_wilcoxon"] is not None for test in tests)
    heads = (*DECIDING, *SIZES, *(OF_USERS if small else OF_USERS[:2]))
    return [Column(head, spare=head not in DECIDING) for head in heads]


def entries_of_test(test: PairTest | None, columns: Sequence[Column]) -> list[Entry]:
    """One entry for each of `columns_of_tests` that stand among these columns."""
    texts = {} if test is None else _texts(test)
    return [
        Entry(texts.get(column.head, ""))
        for column in columns
        if column.head in (*DECIDING, *SIZES, *OF_USERS)
    ]


def notes_of_tests(tests: Sequence[PairTest | None]) -> list[str]:
    """What the columns mean, and why some have no p."""
    once = any(test is not None and test["p"] is None for test in tests)
    return [METHOD_NOTE, *([ONCE_NOTE] if once else [])]


def trainings_of(test: PairTest) -> str:
    """`3`, or `3 / 5` where the sides differ; blank for what nothing trains."""
    first, second = test["trainings"]
    return " / ".join(
        str(each) if each else BLANK for each in ([first] if first == second else [first, second])
    )


def _texts(test: PairTest) -> dict[str, str]:
    return {
        DECIDING[0]: points_with_interval(test),
        DECIDING[1]: p_value(test["p"]),
        SIZES[0]: probability(test["superiority"]),
        SIZES[1]: effect(test["cohens_dz"]),
        SIZES[2]: effect(test["rank_biserial"]),
        SIZES[3]: f"{count(test['gained'])} / {count(test['lost'])}",
        OF_USERS[0]: p_value(test["p_permutation"]),
        OF_USERS[1]: p_value(test["p_t"]),
        OF_USERS[2]: p_value(test["p_wilcoxon"]),
    }


def _claim_row(claim: Claim, columns: Sequence[Column]) -> list[Entry]:
    name = Entry(f"{claim['better']} > {claim['than']}")
    by = Entry(f"{claim['metric']} {claim['protocol']}")
    tested = entries_of_test(claim["test"], columns)
    return [name, by, *tested, Entry(p_value(claim["p_holm"])), Entry(short_verdict(claim))]


def _sentence(claim: Claim) -> str:
    return f"{claim['better']} > {claim['than']}: {claim['words']}."


def hypotheses_section(material: PageMaterial) -> PageSection | None:
    """A verdict each, and all tests behind them; None where nothing was ranked and nothing declared."""
    section, claims = claims_section(material.board), material.board["claims"]
    if not claims and not material.board["rankings"]:
        return None
    if not claims:
        return PageSection("hypotheses", "Declared hypotheses", [Prose(section.lines)])
    verdicts = [
        Verdict(
            kind=claim["verdict"],
            statement=f"{claim['better']} > {claim['than']} by {claim['metric']} ({claim['protocol']})",
            words=f"{claim['words']}.",
        )
        for claim in claims
    ]
    tests = Folded("All tests", section.tables)
    return PageSection("hypotheses", "Declared hypotheses", [Verdicts(verdicts), tests])
