"""Measure what texts claim that the attributes contradict or do not carry: by rules, by a judge, by a reader.

The rules are those of `text.grounding`. A reader's labels of single texts say how far the rules, and a
judging model, can be believed: Cohen's kappa (Educational and Psychological Measurement 1960).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from grasp_bench.core.errors import DataError
from grasp_bench.stats.shares import Share, wilson
from grasp_bench.studies.artifact_loading import LoadedSide
from grasp_bench.studies.inspection.grounding_labels import Labels
from grasp_bench.studies.inspection.texts import rows_about
from grasp_bench.text.grounding import Claim, Grounding, GroundingCheck, KindCount, State

EXAMPLES = 12
AROUND = 40  # characters of text on each side of a claim
LENGTH_GROUPS = 3  # as in the paper's Fig. 1(c)
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class LengthGroup:
    """Users whose texts describe `shortest` to `longest` items: texts by their worst claim, and the share of
    claims without ground in the own history and in a stranger's."""

    shortest: int
    longest: int
    states: Mapping[State, Share]
    claims_ungrounded: float | None
    of_strangers: float | None


@dataclass(frozen=True)
class Agreement:
    """How two judgements of the same texts agree: `table[a][b]` texts that the first calls a, the second b.

    `kappa` is Cohen's with its 95 % interval, None where one of them calls all texts alike.
    """

    first: str
    second: str
    texts: int
    agree: float
    kappa: float | None
    low: float | None
    high: float | None
    table: Mapping[State, Mapping[State, int]]


@dataclass(frozen=True)
class GroundingInspection:
    """The whole inspection. `strangers` counts the same claims against somebody else's attributes."""

    cell: str
    side: str
    texts: int
    states: Mapping[State, Share]
    kinds: Mapping[str, KindCount]
    strangers: Mapping[str, KindCount]
    by_length: tuple[LengthGroup, ...]
    examples: tuple[tuple[str, State, str, str, str], ...]  # id, state, kind, words, the text around them
    labels: Mapping[State, int] | None = None
    agreements: tuple[Agreement, ...] = ()
    judge: Mapping[str, object] | None = None


def inspect_grounding(
    opened: LoadedSide,
    seed: int = 0,
    labels: Labels | None = None,
    judged: Mapping[str, State] | None = None,
    judge: Mapping[str, object] | None = None,
) -> GroundingInspection:
    """Inspect the texts of one side of a cell. `judged` has a judge's states by entity id, `judge` says who.

    Raises DataError where there is no text, or where labels are of other texts.
    """
    texts = opened.texts
    if not texts:
        raise DataError(f"{opened.cell}: the {opened.side} have vectors and no text")
    dealt = np.random.default_rng(seed).permutation(len(texts))
    check = GroundingCheck(texts, opened.subjects.items)
    own = check.against(lambda k: rows_about(opened, k))
    strangers = check.against(lambda k: rows_about(opened, int(dealt[k])))
    states, ids = own.states(), opened.ids
    by_rules = dict(zip(ids, states, strict=True))
    by_reader = labels.checked(dict(zip(ids, texts, strict=True))) if labels is not None else {}
    return GroundingInspection(
        cell=opened.cell,
        side=opened.side,
        texts=len(texts),
        states=_shares(states),
        kinds=own.kinds,
        strangers=strangers.kinds,
        by_length=_by_length(opened, own, strangers) if opened.side == "users" else (),
        examples=_examples(own.claims, ids, texts),
        labels=_counts(list(by_reader.values())) if by_reader else None,
        agreements=tuple(_agreements(by_rules, by_reader, judged or {})),
        judge=judge,
    )


def _shares(states: Sequence[State]) -> dict[State, Share]:
    counts = Counter(states)
    return {state: wilson(counts[state], len(states)) for state in STATES}


def _counts(states: Sequence[State]) -> dict[State, int]:
    return {state: states.count(state) for state in STATES}


def _examples(
    claims: Sequence[Claim], ids: Sequence[str], texts: Sequence[str]
) -> tuple[tuple[str, State, str, str, str], ...]:
    """Claims spread over all texts, half of them contradicted where so many are."""
    denied = [claim for claim in claims if claim.contradicted]
    missing = [claim for claim in claims if not claim.contradicted]
    chosen = [each for some in (denied, missing) for each in some[:: max(2 * len(some) // EXAMPLES, 1)]]
    return tuple(
        (ids[claim.entity], "contradicted" if claim.contradicted else "not_carried", claim.kind,
         claim.words, _around(texts[claim.entity], claim.words))
        for claim in sorted(chosen[: 2 * EXAMPLES], key=lambda claim: claim.entity)
    )  # fmt: skip


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
    states = np.array(own.states())
    found = []
    for number in range(len(begins)):
        members = group == number
        found.append(
            LengthGroup(
                shortest=int(lengths[members].min()),
                longest=int(lengths[members].max()),
                states=_shares(states[members].tolist()),
                claims_ungrounded=own.share_ungrounded(members),
                of_strangers=strangers.share_ungrounded(members),
            )
        )
    return tuple(found)


def _agreements(
    rules: Mapping[str, State], reader: Mapping[str, State], judge: Mapping[str, State]
) -> list[Agreement]:
    pairs = (
        ("reader", reader, "rules", rules),
        ("reader", reader, "judge", judge),
        ("judge", judge, "rules", rules),
    )
    return [
        agreement(first, second, [ours[id] for id in both], [theirs[id] for id in both])
        for first, ours, second, theirs in pairs
        if (both := [id for id in ours if id in theirs])
    ]


def agreement(first: str, second: str, ours: Sequence[State], theirs: Sequence[State]) -> Agreement:
    """Compare two judgements of the same texts, in the same order."""
    from statsmodels.stats.inter_rater import cohens_kappa

    pairs = Counter(zip(ours, theirs, strict=True))
    table = {a: {b: pairs[a, b] for b in STATES} for a in STATES}
    counts = np.array([[table[a][b] for b in STATES] for a in STATES])
    used = (counts.sum(0) > 0) | (counts.sum(1) > 0)
    kappa = low = high = None
    if min(np.count_nonzero(counts.sum(axis)) for axis in (0, 1)) > 1:
        found = cohens_kappa(counts[np.ix_(used, used)])
        kappa, low, high = (float(value) for value in (found.kappa, found.kappa_low, found.kappa_upp))
    agree = float(np.trace(counts) / len(ours))
    return Agreement(first, second, len(ours), agree, kappa, low, high, table)
