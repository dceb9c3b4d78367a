"""Show what texts claim without ground."""

from __future__ import annotations

from collections.abc import Mapping

from grasp_bench.report.document import Document, Section, Table
from grasp_bench.report.formatting import number, of, share, with_interval
from grasp_bench.stats.shares import Share
from grasp_bench.studies.inspection.grounding import Agreement, GroundingInspection
from grasp_bench.text.grounding import State

HEADS: dict[State, str] = {
    "carried": "all carried",
    "not_carried": "not carried",
    "contradicted": "contradicted",
}
CLAIM_NOTE = (
    "A claim is a brand, category or title of the catalogue, a size or other number, a colour, an audience, "
    "a place or a price level, word by word. It is carried when the attributes say the same, contradicted "
    "when they say something of its kind and it is none of that. Names that are ordinary words are left out."
)
STRANGER_NOTE = (
    "Strangers: the same claims looked up in somebody else's attributes, where nothing should fit."
)
TEXT_NOTE = (
    "Texts by their worst claim, with the 95 % interval (Wilson). "
    "A text that claims nothing counts as carried."
)
KAPPA_NOTE = "Cohen's kappa: 1 is full agreement, 0 what chance gives; with its 95 % interval."


def lay_out_grounding(found: GroundingInspection) -> Document:
    """Arrange texts, claims, lengths of histories, agreement and examples."""
    tables = [_texts(found), _claims(found)]
    if found.by_length:
        tables.append(_lengths(found))
    sections = [Section("Claims that the attributes do not bear out", tables, _examples(found))]
    if found.agreements:
        lines = [_judge(found.judge)] if found.judge else []
        sections.append(Section("Can this be believed?", [_agreements(found.agreements)], lines))
    return Document(f"Grounding of {found.side}' texts, {found.cell}", [], sections)


def _texts(found: GroundingInspection) -> Table:
    cells = [_rate(found.states[state]) for state in HEADS]
    return Table.of_texts(
        "Texts", ["texts", *HEADS.values()], [[f"{found.texts:,}", *cells]], [TEXT_NOTE], names=0
    )


def _rate(found: Share) -> str:
    return f"{share(found.rate)} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _claims(found: GroundingInspection) -> Table:
    rows = [
        [kind, f"{count.claims:,}", of(count.ungrounded - count.contradicted, count.claims),
         of(count.contradicted, count.claims),
         of(found.strangers[kind].ungrounded, found.strangers[kind].claims), f"{count.texts_ungrounded:,}",
         f"{count.left_out:,}"]
        for kind, count in found.kinds.items()
    ]  # fmt: skip
    heads = [
        "claim",
        "made",
        "not carried",
        "contradicted",
        "strangers: either",
        "texts with either",
        "left out",
    ]
    return Table.of_texts("Claims", heads, rows, [CLAIM_NOTE, STRANGER_NOTE])


def _lengths(found: GroundingInspection) -> Table:
    rows = [
        [f"{group.shortest}–{group.longest}", f"{group.states['carried'].count:,}",
         *(_rate(group.states[state]) for state in HEADS if state != "carried"),
         share(group.claims_ungrounded), share(group.of_strangers)]
        for group in found.by_length
    ]  # fmt: skip
    heads = ["items", "users", "not carried", "contradicted", "claims without ground", "strangers"]
    return Table.of_texts("By length of the history that is told", heads, rows)


def _agreements(found: tuple[Agreement, ...]) -> Table:
    rows = [
        [f"{each.first}, {each.second}", f"{each.texts:,}", share(each.agree),
         with_interval(each.kappa, each.low, each.high),
         *(f"{number(sum(each.table[state].values()), 0)}, {sum(row[state] for row in each.table.values())}"
           for state in HEADS)]
        for each in found
    ]  # fmt: skip
    heads = ["who", "texts", "agree", "kappa", *HEADS.values()]
    return Table.of_texts("Agreement on the same texts", heads, rows, [KAPPA_NOTE])


def _judge(judge: Mapping[str, object]) -> str:
    spend = judge["spend"]
    assert isinstance(spend, dict)
    return (
        f"judge: {judge['model']}, {judge['judged']} answers read, {judge['unread']} unclear, "
        f"${spend['cost_usd']:.2f}"
    )


def _examples(found: GroundingInspection) -> list[str]:
    return [
        f"{found.side.removesuffix('s')} {id}: {kind} '{words}' {HEADS[state]} in: {around}"
        for id, state, kind, words, around in found.examples
    ]
