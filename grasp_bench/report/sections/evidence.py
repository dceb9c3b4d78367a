"""The tests: declared hypotheses first, exploratory pairs apart from them."""

from __future__ import annotations

from collections.abc import Sequence

from grasp_bench.report.document import BLANK, Column, Entry, Section, Table
from grasp_bench.report.numbers import count, effect, p_value, points_with_interval
from grasp_bench.report.schema import Board, Claim, PairTest, Ranking

TEST_HEADS = (
    "difference [95 % CI]", "d_z", "rank-biserial", "gain / lose", "p permutation", "p t", "p Wilcoxon",
)  # fmt: skip
KEPT_HEADS = ("difference [95 % CI]", "p permutation")
NONE_DECLARED = "The spec declares none: all tests are exploratory."
METHOD_NOTE = (
    "Unit of testing: the user, paired, averaged over the seeds that both methods have. CI: percentile "
    "bootstrap over users. All tests two-sided; the corrected p is that of the sign-flip permutation test, "
    "the others stand beside it."
)


def claims_section(board: Board) -> Section:
    """Declared hypotheses with their verdicts in words."""
    claims = board["claims"]
    if not claims:
        return Section("Declared hypotheses", lines=[NONE_DECLARED], kind="claims")
    columns = [Column("hypothesis", "left"), Column("by", "left"), *columns_of_tests()]
    columns += [Column("p Holm"), Column("verdict", "left")]
    rows = [_claim_row(claim) for claim in claims]
    notes = [f"Holm's correction over the family of {len(claims)} declared tests. {METHOD_NOTE}"]
    table = Table("", columns, rows, notes)
    return Section("Declared hypotheses", [table], [_sentence(claim) for claim in claims], kind="claims")


def exploratory_table(ranking: Ranking, protocol: str, metric: str) -> Table | None:
    """Every method against the best, corrected by Benjamini–Hochberg; None with fewer than two methods."""
    tests = ranking["tests"].get(protocol, {}).get(metric)
    if tests is None or not tests["pairs"]:
        return None
    columns = [Column("method", "left"), Column("seeds", spare=True), *columns_of_tests(), Column("p BH")]
    rows = [
        [Entry(pair["label"]), Entry(str(len(pair["seeds"]) or BLANK)), *entries_of_test(pair["test"]),
         Entry(p_value(pair["p_bh"]))]
        for pair in tests["pairs"]
    ]  # fmt: skip
    notes = [f"Differences to {tests['best']}, on the seeds that both have. {METHOD_NOTE}"]
    return Table(f"Exploratory: {metric}, {protocol} ranking, against the best", columns, rows, notes)


def shuffled_table(ranking: Ranking, protocol: str, metric: str) -> Table | None:
    """What is left of the gain of methods that were trained on shuffled embeddings too; None without any."""
    tests = ranking["tests"].get(protocol, {}).get(metric)
    if tests is None or not tests["shuffled"]:
        return None
    columns = [
        Column("method", "left"), Column("over", "left"), Column("seeds", spare=True),
        Column("gain [95 % CI]"), Column("left when shuffled [95 % CI]"), Column("p permutation"),
        Column("", "left"),
    ]  # fmt: skip
    rows = [
        [Entry(each["label"]), Entry(each["over"]), Entry(str(len(each["seeds"]))),
         Entry(points_with_interval(each["gain"])), Entry(points_with_interval(each["left"])),
         Entry(p_value(each["left"]["p_permutation"])), Entry(each["words"])]
        for each in tests["shuffled"]
    ]  # fmt: skip
    notes = ["Embeddings permuted among users and among items. p of what is left, uncorrected."]
    return Table(f"{metric}, {protocol} ranking", columns, rows, notes)


def columns_of_tests() -> list[Column]:
    """Columns of TEST_HEADS; without space, difference and deciding p stay."""
    return [Column(head, spare=head not in KEPT_HEADS) for head in TEST_HEADS]


def entries_of_test(test: PairTest | None) -> list[Entry]:
    """The columns of TEST_HEADS."""
    if test is None:
        return [Entry("")] * len(TEST_HEADS)
    texts: Sequence[str] = (
        points_with_interval(test),
        effect(test["cohens_dz"]),
        effect(test["rank_biserial"]),
        f"{count(test['gained'])} / {count(test['lost'])}",
        p_value(test["p_permutation"]),
        p_value(test["p_t"]),
        p_value(test["p_wilcoxon"]),
    )
    return [Entry(text) for text in texts]


def _claim_row(claim: Claim) -> list[Entry]:
    name = Entry(f"{claim['better']} > {claim['than']}")
    by = Entry(f"{claim['metric']} {claim['protocol']}")
    verdict = "supported" if claim["verdict"] == "supported" else f"not supported ({claim['verdict']})"
    if claim["verdict"] == "untested":
        verdict = "not tested"
    return [name, by, *entries_of_test(claim["test"]), Entry(p_value(claim["p_holm"])), Entry(verdict)]


def _sentence(claim: Claim) -> str:
    return f"{claim['better']} > {claim['than']}: {claim['words']}."
