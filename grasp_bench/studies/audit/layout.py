"""Arrange a protocol audit as a document."""

from __future__ import annotations

from collections.abc import Mapping

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.formatting import number, p_value, percent
from grasp_bench.studies.audit.compare import Audit, Conclusion, HazardEffects, Outcome

PUBLISHED = "paper"
IN_STRICT = (
    "The file's order is kept by the strict protocol, too: its arm shuffles, and the change is that of the "
    "strict figure over the shuffled one."
)
GROUPS = {"overall": "", "tail_item": " on tail items"}
RANKED = {"full": "the whole catalogue", "sampled": "sampled negatives"}


def lay_out_audit(found: Audit) -> Document:
    """Arrange conclusions, then the order of methods, then each hazard alone."""
    lines = [found.description] if found.description else []
    ranked = [f"{name} ranks by {RANKED[ranking]}" for name, ranking in found.rankings.items()]
    lines.append(f"{found.dataset}, {found.metric}. {'; '.join(ranked)}.")
    lines += [
        f"The spec itself gives {', '.join(keys)}, also under {name}."
        for name, keys in found.fixed.items()
        if keys
    ]
    lines += [f"Missing: {each}." for each in found.missing]
    taus = [
        f"Kendall's tau of the order, {pair}: {number(tau)} (without random and constant scores)."
        for pair, tau in found.taus.items()
    ]
    measured = [_hazard(each) for each in found.hazards if each.effects]
    sections = [
        Section("Conclusions", [_conclusions(found)], [_answer(each) for each in found.conclusions]),
        Section("Order of methods", [_order(found)], taus),
        Section("Each hazard alone", [_summary(found), *measured]),
    ]
    return Document(f"Protocol audit: {found.name}", lines, sections)


def _conclusions(found: Audit) -> Table:
    rows = [
        [
            f"{each.better} > {each.than}",
            each.metric,
            *(_outcome(each.outcomes.get(p)) for p in found.rankings),
        ]
        for each in found.conclusions
    ]
    notes = [
        "Difference in points [95 % interval], p corrected by Holm over the conclusions of a protocol: "
        "users and trainings crossed, two-sided."
    ]
    return Table.of_texts("", ["conclusion", "metric", *found.rankings], rows, notes)


def _outcome(outcome: Outcome | None) -> str:
    if outcome is None or outcome.difference is None:
        return BLANK if outcome is None else outcome.verdict
    span = _points(outcome.difference, outcome.low, outcome.high)
    return f"{outcome.verdict}: {span}, p {p_value(outcome.p_holm)}"


def _answer(conclusion: Conclusion) -> str:
    name = f"{conclusion.better} > {conclusion.than}"
    verdicts = {protocol: outcome.verdict for protocol, outcome in conclusion.outcomes.items()}
    told = ", ".join(f"{verdict} under {p}" for p, verdict in verdicts.items() if verdict != "holds")
    if not told:
        return f"{name} survives."
    if verdicts.get(PUBLISHED, "holds") != "holds":
        return f"{name} does not hold even as published: {told}."
    return f"{name} does not survive: {told}."


def _order(found: Audit) -> Table:
    ranks = {p: {n: k for k, n in enumerate(_descending(each), 1)} for p, each in found.figures.items()}
    first = next(iter(found.figures.values()))
    names = _descending({name: first.get(name, 0.0) for each in found.figures.values() for name in each})
    rows = [
        [n, *(f"{ranks[p][n]}. {percent(found.figures[p][n])}" if n in ranks[p] else BLANK for p in ranks)]
        for n in names
    ]
    return Table.of_texts("", ["method", *(f"{p} ({found.rankings[p]})" for p in ranks)], rows)


def _descending(figures: Mapping[str, float]) -> list[str]:
    return sorted(figures, key=lambda name: (-figures[name], name))


def _summary(found: Audit) -> Table:
    rows, hazards = [], [each.hazard for each in found.hazards]
    for each in found.hazards:
        hazard = each.hazard
        largest = max(each.effects, key=lambda e: abs(e.with_it - e.without), default=None)
        changed = f"{largest.method} {_signed(largest.with_it - largest.without)}" if largest else BLANK
        rows.append([hazard.title, hazard.key, _figure(each), hazard.measured_on, changed, number(each.tau)])
    heads = ["hazard", "key", "figure", "measured on", "largest change", "tau"]
    notes = [
        "One switched on over the strict protocol. Tau: order of methods without and with it.",
        *(f"Not measured: {h.title} ({h.why_not})." for h in hazards if h.why_not),
        *(f"Left out of it ({h.title}): {h.left_out}." for h in hazards if h.left_out),
        *(IN_STRICT for h in hazards if h.in_strict and not h.why_not),
    ]
    return Table.of_texts("", heads, rows, notes)


def _hazard(found: HazardEffects) -> Table:
    rows = [
        [each.method, percent(each.without), percent(each.with_it),
         _points(each.with_it - each.without, each.low, each.high)]
        for each in found.effects
    ]  # fmt: skip
    title = f"{found.hazard.title[0].upper()}{found.hazard.title[1:]}: {_figure(found)}"
    heads = ["shuffled", "strict"] if found.hazard.in_strict else ["strict", "with the hazard"]
    return Table.of_texts(title, ["method", *heads, "change"], rows)


def _figure(found: HazardEffects) -> str:
    return f"{found.hazard.ranking}{GROUPS[found.hazard.group]}"


def _points(difference: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return _signed(difference)
    return f"{_signed(difference)} [{_signed(low)}, {_signed(high)}]"


def _signed(difference: float) -> str:
    """Print points of percent; what rounds to 0 has no minus."""
    return f"{round(100 * difference, 2) + 0.0:+.2f}"
