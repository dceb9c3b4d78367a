"""Arrange a comparison of prompts as a document."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.formatting import percent, with_interval
from grasp_bench.studies.prompts.compare import Mean, PromptSensitivity, SideOverlap

LEAK_MARK = "†"


def lay_out_prompts(found: PromptSensitivity) -> Document:
    """Arrange one section for each side, then the methods' metrics."""
    sections = [Section(f"Texts of {side.side}", [_pairs(side, found.persistence)], _texts(side))
                for side in found.sides]  # fmt: skip
    return Document(f"Prompts of {found.name}", [], [*sections, Section("Methods", [_methods(found)])])


def _texts(side: SideOverlap) -> list[str]:
    lines = [f"{name}: {text}" for name, text in side.texts.items()]
    return lines + [f"{name}: neighbours are not there yet" for name in side.missing]


def _pairs(side: SideOverlap, persistence: float) -> Table:
    rows = [
        [f"{pair.first} / {pair.second}", _mean(pair.jaccard), _mean(pair.rank_biased)] for pair in side.pairs
    ]
    notes = [
        f"Means over the {side.entities:,} {side.side} with {side.depth} neighbours by every text, and 95 % "
        "bootstrap intervals; 1 is the same neighbours, 0 none in common.",
        f"Rank-biased overlap with p = {persistence:g}, extrapolated from depth {side.depth} (Webber et al. "
        "2010, eq. 32).",
    ]
    return Table.of_texts("Overlap of neighbours", ["texts", f"Jaccard@{side.depth}", "RBO"], rows, notes)


def _methods(found: PromptSensitivity) -> Table:
    rows = [
        [
            f"{each.method} {LEAK_MARK}" if each.leaks else each.method,
            *(each.texts.get(side, BLANK) for side in ("users", "items")),
            f"{each.done}/{each.seeds}",
            *(percent(each.metric[protocol]) for protocol in ("full", "sampled")),
        ]
        for each in found.methods
    ]
    heads = ["method", "users", "items", "seeds", f"{found.metric} full", f"{found.metric} sampled"]
    notes = [
        "In percent, means over the seeds that are done: grasp-bench leaderboard says what is significant."
    ]
    if any(each.leaks for each in found.methods):
        notes.append(f"{LEAK_MARK} made from held-out items.")
    return Table.of_texts("", heads, rows, notes)


def _mean(mean: Mean) -> str:
    return with_interval(mean.mean, mean.low, mean.high, digits=3)
