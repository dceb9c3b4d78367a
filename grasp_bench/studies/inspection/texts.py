"""Inspect texts: samples, statistics, ungrounded claims, and held-out items that they reveal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from grasp_bench.core.errors import DataError
from grasp_bench.data.audits.coverage import CoverageAudit, audit_coverage, describe_items
from grasp_bench.studies.artifact_loading import LoadedSide
from grasp_bench.studies.inspection.samples import Sampled, rows_about, sample
from grasp_bench.text.grounding import Claim, Grounding, GroundingCheck, KindCount
from grasp_bench.text.statistics import TextStatistics, text_statistics

EXAMPLES = 10
AROUND = 40  # characters of text on each side of a claim
LENGTH_GROUPS = 3  # as in the paper's Fig. 1(c)


@dataclass(frozen=True)
class LengthGroup:
    """Users whose texts describe `shortest` to `longest` items: texts with an ungrounded claim, and the
    share of claims without ground in the own history and in a stranger's."""

    shortest: int
    longest: int
    users: int
    texts_ungrounded: int
    claims_ungrounded: float | None
    of_strangers: float | None


@dataclass(frozen=True)
class GroundingReport:
    """Counts by kind, the same for texts dealt to strangers, users by history length, and examples."""

    kinds: Mapping[str, KindCount]
    strangers: Mapping[str, KindCount]
    by_length: tuple[LengthGroup, ...]
    examples: tuple[tuple[str, str, str, str], ...]  # id, kind, words, and the text around them


@dataclass(frozen=True)
class TextInspection:
    """The whole inspection; `coverage` is for users alone, its examples are (user id, title, word)."""

    cell: str
    side: str
    source: Mapping[str, Any]
    statistics: TextStatistics
    verdicts: Mapping[str, int] | None
    grounding: GroundingReport
    coverage: CoverageAudit | None
    covered: tuple[tuple[str, str, str], ...]
    samples: tuple[Sampled, ...]


def inspect_text(opened: LoadedSide, count: int = 5, seed: int = 0) -> TextInspection:
    """Inspect the texts of one side of a cell; DataError where there is none.

    `verdicts` are those that the text stage gave to a model's answers, before its fallback.
    """
    if opened.texts is None or opened.source is None:
        raise DataError(f"{opened.cell}: the {opened.side} have vectors and no text")
    coverage = None
    if opened.side == "users":
        described = describe_items(opened.subjects.items)
        coverage = audit_coverage(opened.texts, opened.split, described, seed=seed)
    return TextInspection(
        cell=opened.cell,
        side=opened.side,
        source=opened.source.model_dump(mode="json", exclude_defaults=True) | {"scope": opened.source.scope},
        statistics=text_statistics(opened.texts, seed),
        verdicts=opened.facts.get("verdicts"),
        grounding=_grounding(opened, opened.texts, seed),
        coverage=coverage,
        covered=_covered(opened, coverage),
        samples=sample(opened, count, seed),
    )


def _grounding(opened: LoadedSide, texts: Sequence[str], seed: int) -> GroundingReport:
    """Check texts against their own attributes and, as a baseline, against a stranger's."""
    dealt = np.random.default_rng(seed).permutation(len(texts))
    check = GroundingCheck(texts, opened.subjects.items)
    own = check.against(lambda k: rows_about(opened, k))
    strangers = check.against(lambda k: rows_about(opened, int(dealt[k])))
    ids = opened.ids
    chosen = _spread(own.claims, EXAMPLES)
    return GroundingReport(
        kinds=own.kinds,
        strangers=strangers.kinds,
        by_length=_by_length(opened, own, strangers) if opened.side == "users" else (),
        examples=tuple(
            (ids[claim.entity], claim.kind, claim.words, _around(texts[claim.entity], claim.words))
            for claim in chosen
        ),
    )


def _spread(claims: Sequence[Claim], count: int) -> list[Claim]:
    """Examples spread over all texts."""
    step = max(len(claims) // count, 1)
    return list(claims[::step][:count])


def _around(text: str, words: str) -> str:
    """The piece of a text that makes a claim; its beginning where spelling hides the place."""
    plain = " ".join(text.split())
    place = max(plain.casefold().find(words.partition(" ")[0]), 0)
    begin, end = max(place - AROUND, 0), place + len(words) + AROUND
    return f"{'…' if begin else ''}{plain[begin:end]}{'…' if end < len(plain) else ''}"


def _by_length(opened: LoadedSide, own: Grounding, strangers: Grounding) -> tuple[LengthGroup, ...]:
    lengths = np.diff(opened.subjects.history_offsets)
    borders = np.unique(np.quantile(lengths, np.linspace(0, 1, LENGTH_GROUPS + 1), method="higher"))
    # Each border but the last begins a group; a single length is one group.
    begins = borders[:-1] if len(borders) > 1 else borders
    group = np.searchsorted(begins, lengths, side="right") - 1
    bad = np.zeros(len(lengths), dtype=bool)
    bad[own.entities()] = True
    found = []
    for number in range(len(begins)):
        members = group == number
        found.append(
            LengthGroup(
                shortest=int(lengths[members].min()),
                longest=int(lengths[members].max()),
                users=int(members.sum()),
                texts_ungrounded=int((bad & members).sum()),
                claims_ungrounded=own.share_ungrounded(members),
                of_strangers=strangers.share_ungrounded(members),
            )
        )
    return tuple(found)


def _covered(opened: LoadedSide, coverage: CoverageAudit | None) -> tuple[tuple[str, str, str], ...]:
    if coverage is None:
        return ()
    titles, ids = opened.subjects.items["title"].to_list(), opened.ids
    item_ids = opened.subjects.items["item_id"].to_list()
    return tuple((ids[user], titles[item] or item_ids[item], word) for user, item, word in coverage.examples)
