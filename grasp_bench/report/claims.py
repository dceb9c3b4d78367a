"""Test the declared hypotheses as a family, corrected by Holm, and answer them in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.comparable_cells import ComparableCells, StoredResults
from grasp_bench.report.formatting import ONE_TRAINING, UNDECIDED, UNTESTED, words_of
from grasp_bench.report.methods import Method, hypothesis_pairs
from grasp_bench.report.schema import Claim
from grasp_bench.report.significance import is_measured
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import compare_all
from grasp_bench.stats.correction import holm, shares
from grasp_bench.stats.crossed import ABOVE, BELOW, EQUIVALENT, Region, difference, region
from grasp_bench.stats.levels import ALPHA
from grasp_bench.stats.trainings import Trainings

Hypothesis = Mapping[str, Any]
ANY_SIZE = {ABOVE: "supported", BELOW: "refuted"}
OF_A_SIZE = {ABOVE: "better", EQUIVALENT: "equivalent", BELOW: "worse"}
POINT = 100  # figures are fractions, `at_least` is points of percent


@dataclass(frozen=True)
class _Look:
    """What was seen at one look: both sides as they were then, and p after what the look may spend."""

    trainings: int | None
    sides: tuple[Trainings, Trainings]
    found: Region
    p: float


@dataclass
class _PendingClaim:
    """A claim in the making, what may be said behind its verdict, and what was seen of it at every look."""

    claim: Claim
    behind: str = ""
    sides: tuple[Trainings, Trainings] | None = None
    looks: list[_Look] = field(default_factory=list)

    @property
    def decides(self) -> bool:
        """Whether both sides were trained often enough to say something of their methods."""
        return self.sides is not None and all(side.known for side in self.sides)


def judge(stored: StoredResults, values: UserValues) -> list[Claim]:
    """Test every declared hypothesis of a study by its finished cells.

    One that cannot be tested stays in its family with p = 1. Those about a noise rate above 0 are a family of
    their own. Where seeds are added until it is decided, `study.looks` are the trainings at each look.
    """
    pending = [each for hypothesis in stored.study.hypotheses for each in _expand(hypothesis, stored, values)]
    leaking = {
        stored.labels[method]
        for partition in stored.partitions
        for method, cells in partition.cells.items()
        if any(cell.leaks for cell in cells)
    }
    for each in pending:
        each.looks = list(_looks_at(each, stored.study.looks))
    for family in ("declared", "noise"):
        _decide([each for each in pending if each.claim["family"] == family])
    tests = iter(compare_all([_shown(each) for each in pending if each.sides is not None]))
    for each in pending:
        if each.sides is not None:
            claim = each.claim
            claim["test"] = next(tests)
            claim["words"] = words_of(claim) + each.behind + _warning(claim, leaking)
    return [each.claim for each in pending]


def _looks_at(pending: _PendingClaim, looks: Sequence[int]) -> list[_Look]:
    """Every look for which there are trainings enough; without looks, one at all that there is."""
    if pending.sides is None or not pending.decides:
        return []
    at_least, found = pending.claim["at_least"] / POINT, []
    planned: list[tuple[int | None, float]] = [(None, 1.0)]
    if looks:
        planned = list(zip(looks, shares(looks), strict=True))
    for trainings, share in planned:
        if trainings is not None and any(not s.fixed and s.count < trainings for s in pending.sides):
            break
        first, second = (s if trainings is None else s.first(trainings) for s in pending.sides)
        seen = region(difference(first, second), at_least)
        found.append(_Look(trainings, (first, second), seen, min(1.0, seen.p / share)))
    return found


def _decide(family: Sequence[_PendingClaim]) -> None:
    """Give each claim its corrected p and verdict, as soon as the family lets it fall.

    What a look has shown is never taken back: of a hypothesis the least p so far counts, which Bonferroni's
    inequality over the looks allows. A claim that fell tells of the look that this p is of, an undecided one
    of its last.
    """
    stages = max((len(each.looks) for each in family), default=0)
    least: list[_Look | None] = [None] * len(family)
    for stage in range(max(1, stages)):
        for place, each in enumerate(family):
            before = least[place]
            if stage < len(each.looks) and (before is None or each.looks[stage].p < before.p):
                least[place] = each.looks[stage]
        adjusted = holm([1.0 if look is None else look.p for look in least])
        for each, look, p in zip(family, least, adjusted, strict=True):
            if look is not None and each.claim["verdict"] in (UNTESTED, UNDECIDED):
                last = each.looks[min(stage, len(each.looks) - 1)]
                verdicts = OF_A_SIZE if each.claim["at_least"] else ANY_SIZE
                seen, verdict = (last, UNDECIDED) if p >= ALPHA else (look, verdicts[look.found.where])
                each.claim |= {"p_holm": p, "verdict": verdict, "look": seen.trainings}
    for each in family:
        if each.sides is not None and not each.decides:
            each.claim["verdict"] = ONE_TRAINING


def _shown(pending: _PendingClaim) -> tuple[Trainings, Trainings]:
    """Both sides as they were at the look that the claim tells of."""
    assert pending.sides is not None
    seen = [look.sides for look in pending.looks if look.trainings == pending.claim["look"]]
    sides = seen[0] if seen else pending.sides
    for key, side in zip(("seeds", "than_seeds"), sides, strict=True):
        pending.claim[key] = pending.claim[key][: side.count]  # type: ignore[literal-required]
    return sides


def _expand(hypothesis: Hypothesis, stored: StoredResults, values: UserValues) -> list[_PendingClaim]:
    """One claim a pair of methods that the hypothesis is about; at least one, untested if need be."""
    better, than, noise = hypothesis["better"], hypothesis["than"], hypothesis.get("noise") or 0.0
    pairs = hypothesis_pairs(better, than, stored.labels, noise=noise)
    if not pairs:
        known = ", ".join(sorted(stored.labels.values()))
        claim = _claim(hypothesis, better, than, noise)
        return [_untested(claim, f"no such pair on this board ({known})")]
    return [_pending(hypothesis, pair, stored, values) for pair in pairs]


def _pending(
    hypothesis: Hypothesis, pair: tuple[Method, Method], stored: StoredResults, values: UserValues
) -> _PendingClaim:
    """Both sides of one pair, or the reason why there is nothing to test."""
    left, right = (stored.labels[method] for method in pair)
    claim = _claim(hypothesis, left, right, max(method.rate for method in pair))
    home = next((p for p in stored.partitions if all(p.cells.get(method) for method in pair)), None)
    if home is None:
        return _untested(claim, _why_apart(pair, stored))
    protocol, metric = hypothesis["protocol"], hypothesis["metric"]
    both = [home.cells[method] for method in pair]
    if not all(cell.metrics.get(protocol) for cells in both for cell in cells):
        return _untested(claim, f"no {protocol} ranking was stored")
    # Ranks could be cut anywhere; those of an imported list mean nothing beyond its depth.
    if not all(is_measured(cells, protocol, metric) for cells in both):
        return _untested(claim, f"{metric} ({protocol}) was not measured of both")
    first_look = min(stored.study.looks, default=0)
    if any(1 < len(cells) < first_look for cells in both):
        return _untested(claim, f"the first look is at {first_look} trainings of both")
    claim |= {"seeds": _seeds(both[0]), "than_seeds": _seeds(both[1]), "looks": list(stored.study.looks)}
    first, second = (values.trainings(cells, protocol, metric) for cells in both)
    return _PendingClaim(claim, _on_part_of(pair, home, stored.labels), (first, second))


def _seeds(cells: Sequence[ResultCell]) -> list[int]:
    return [cell.seed for cell in cells if cell.seed is not None]


def _untested(claim: Claim, why: str) -> _PendingClaim:
    claim["words"] = f"not tested: {why}"
    return _PendingClaim(claim)


def _why_apart(pair: tuple[Method, Method], stored: StoredResults) -> str:
    absent = [
        stored.labels[method] for method in pair if not any(p.cells.get(method) for p in stored.partitions)
    ]
    if absent:
        return f"{' and '.join(absent)} has no finished seed"
    return "the two were measured under different protocols"


def _on_part_of(pair: tuple[Method, Method], home: ComparableCells, labels: Mapping[Method, str]) -> str:
    """Said behind the verdict where planned seeds are missing; nothing otherwise."""
    missing = {labels[method]: home.unfinished(method) for method in pair}
    told = [f"{', '.join(map(str, seeds))} of {label}" for label, seeds in missing.items() if seeds]
    return f"; not finished: seed {', seed '.join(told)}" if told else ""


def _claim(hypothesis: Hypothesis, better: str, than: str, noise: float) -> Claim:
    return Claim(
        better=better,
        than=than,
        metric=hypothesis["metric"],
        protocol=hypothesis["protocol"],
        at_least=float(hypothesis.get("at_least") or 0.0),
        noise=noise,
        family="noise" if noise else "declared",
        seeds=[],
        than_seeds=[],
        looks=[],
        look=None,
        test=None,
        p_holm=None,
        verdict="untested",
        words="",
    )


def _warning(claim: Claim, leaking: Collection[str]) -> str:
    """A hypothesis about a leak is a fair question; nobody should read its answer as one about a method."""
    seen = [name for name in (claim["better"], claim["than"]) if name in leaking]
    return f"; {' and '.join(seen)} read text made from held-out items" if seen else ""
