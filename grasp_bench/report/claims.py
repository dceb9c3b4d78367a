"""The declared hypotheses: tested as one family, corrected by Holm, answered in plain words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from grasp_bench.report.methods import Method, hypothesis_pairs
from grasp_bench.report.partitions import Partition
from grasp_bench.report.schema import Claim, PairTest
from grasp_bench.report.seeds import on_shared_seeds, seeds_of_pair
from grasp_bench.report.significance import pair_tests
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import ALPHA
from grasp_bench.stats.correction import holm
from grasp_bench.stats.pairing import Values

Hypothesis = Mapping[str, str]
# A claim, and the users' values of both sides where it can be tested.
Asked = tuple[Claim, tuple[Values, Values] | None]


@dataclass(frozen=True)
class Evidence:
    """What hypotheses are judged by: finished cells, what their methods are called, and users' values."""

    partitions: Sequence[Partition]
    labels: Mapping[Method, str]
    values: UserValues = field(default_factory=UserValues)


def judge(hypotheses: Sequence[Hypothesis], evidence: Evidence) -> list[Claim]:
    """Test every declared hypothesis; one that cannot be tested stays in the family with p = 1."""
    found = [each for hypothesis in hypotheses for each in _expand(hypothesis, evidence)]
    tests = iter(pair_tests([sides for _, sides in found if sides is not None]))
    claims = [claim if sides is None else claim | {"test": next(tests)} for claim, sides in found]
    raw = [1.0 if claim["test"] is None else claim["test"]["p_permutation"] for claim in claims]
    leaking = {
        evidence.labels[method]
        for partition in evidence.partitions
        for method, cells in partition.cells.items()
        if any(cell.leaks for cell in cells)
    }
    for claim, p in zip(claims, holm(raw), strict=True):
        if claim["test"] is not None:
            claim["p_holm"] = p
            claim["verdict"] = _verdict(claim["test"], p)
            claim["words"] = _words(claim, claim["test"], p) + claim["words"] + _warning(claim, leaking)
    return claims


def _expand(hypothesis: Hypothesis, evidence: Evidence) -> list[Asked]:
    """One claim a pair of methods that the hypothesis is about; at least one, untested if need be."""
    better, than = hypothesis["better"], hypothesis["than"]
    pairs = hypothesis_pairs(better, than, evidence.labels)
    if not pairs:
        known = ", ".join(sorted(evidence.labels.values()))
        return [(_claim(hypothesis, better, than, f"not tested: no such pair on this board ({known})"), None)]
    return [_asked(hypothesis, pair, evidence) for pair in pairs]


def _asked(hypothesis: Hypothesis, pair: tuple[Method, Method], evidence: Evidence) -> Asked:
    """What the test of one pair takes, on the seeds that both have, or the reason why there is none."""
    left, right = (evidence.labels[method] for method in pair)
    home = next((p for p in evidence.partitions if all(p.cells.get(method) for method in pair)), None)
    if home is None:
        return _claim(hypothesis, left, right, f"not tested: {_why_apart(pair, evidence)}"), None
    first, second = on_shared_seeds(*(home.cells[method] for method in pair))
    if not first:
        return _claim(hypothesis, left, right, "not tested: the two have no seed in common"), None
    protocol, metric = hypothesis["protocol"], hypothesis["metric"]
    figures = [cell.metrics.get(protocol) for cell in (*first, *second)]
    if not all(figures):
        return _claim(hypothesis, left, right, f"not tested: no {protocol} ranking was stored"), None
    # Ranks could be cut anywhere; those of an imported list mean nothing beyond its depth.
    if any(figure and metric not in figure.get("overall", {}) for figure in figures):
        return _claim(
            hypothesis, left, right, f"not tested: {metric} ({protocol}) was not measured of both"
        ), None
    users, others = (evidence.values.of_method(cells, protocol, metric) for cells in (first, second))
    seeds, missing = seeds_of_pair(first, second), {s for method in pair for s in home.unfinished(method)}
    return _claim(hypothesis, left, right, _on_part_of(seeds, missing), seeds), (users, others)


def _why_apart(pair: tuple[Method, Method], evidence: Evidence) -> str:
    absent = [
        evidence.labels[method]
        for method in pair
        if not any(p.cells.get(method) for p in evidence.partitions)
    ]
    if absent:
        return f"{' and '.join(absent)} has no finished seed"
    return "the two were measured under different protocols"


def _on_part_of(seeds: Sequence[int], missing: Collection[int]) -> str:
    """Said behind the verdict where planned seeds are missing; nothing otherwise."""
    if not missing:
        return ""
    return f"; on {_seeds(seeds)} alone, {_seeds(sorted(missing))} not finished"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}"


def _claim(hypothesis: Hypothesis, better: str, than: str, words: str, seeds: Sequence[int] = ()) -> Claim:
    return Claim(
        better=better,
        than=than,
        metric=hypothesis["metric"],
        protocol=hypothesis["protocol"],
        seeds=list(seeds),
        test=None,
        p_holm=None,
        verdict="untested",
        words=words,
    )


def _verdict(test: PairTest, p: float) -> str:
    if p >= ALPHA or test["difference"] == 0:
        return "undecided"
    return "supported" if test["difference"] > 0 else "refuted"


def _warning(claim: Claim, leaking: Collection[str]) -> str:
    """A hypothesis about a leak is a fair question; nobody should read its answer as one about a method."""
    seen = [name for name in (claim["better"], claim["than"]) if name in leaking]
    return f"; {' and '.join(seen)} read text made from held-out items" if seen else ""


def _words(claim: Claim, test: PairTest, p: float) -> str:
    """The answer as one would say it; differences in points of percent, as the tables are."""
    better, than = claim["better"], claim["than"]
    span = f"95 % interval {100 * test['low']:+.2f} to {100 * test['high']:+.2f}, corrected p {p:.4f}"
    size = f"{100 * abs(test['difference']):.2f} points of {claim['metric']} ({claim['protocol']})"
    if test["difference"] == 0:
        return f"not supported: {better} and {than} are equal in {claim['metric']} ({claim['protocol']})"
    side = "above" if test["difference"] > 0 else "below"
    if claim["verdict"] == "supported":
        return f"supported: {better} is above {than} by {size}; {span}"
    if claim["verdict"] == "refuted":
        return f"not supported: {better} is below {than} by {size}, and the data show that it is; {span}"
    return f"not supported: {better} is {side} {than} by {size}, which chance alone may give; {span}"
