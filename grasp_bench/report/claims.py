"""The declared hypotheses: tested as one family, corrected by Holm, answered in plain words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.methods import Method, hypothesis_pairs
from grasp_bench.report.schema import Claim, PairTest
from grasp_bench.report.significance import pair_test
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import ALPHA
from grasp_bench.stats.correction import holm

Complete = Mapping[Method, Sequence[ResultCell]]


def judge(
    hypotheses: Sequence[Mapping[str, str]],
    partitions: Sequence[Complete],
    labels: Mapping[Method, str],
    values: UserValues,
) -> list[Claim]:
    """Test every declared hypothesis; one that cannot be tested stays in the family with p = 1."""
    claims = [claim for hypothesis in hypotheses for claim in _expand(hypothesis, partitions, labels, values)]
    raw = [1.0 if claim["test"] is None else claim["test"]["p_permutation"] for claim in claims]
    leaking = {
        labels[method]
        for partition in partitions
        for method, cells in partition.items()
        if any(cell.leaks for cell in cells)
    }
    for claim, p in zip(claims, holm(raw), strict=True):
        if claim["test"] is not None:
            claim["p_holm"] = p
            claim["verdict"] = _verdict(claim["test"], p)
            claim["words"] = _words(claim, claim["test"], p) + _warning(claim, leaking)
    return claims


def _expand(
    hypothesis: Mapping[str, str],
    partitions: Sequence[Complete],
    labels: Mapping[Method, str],
    values: UserValues,
) -> list[Claim]:
    """One claim a pair of methods that the hypothesis is about; at least one, untested if need be."""
    better, than = hypothesis["better"], hypothesis["than"]
    pairs = hypothesis_pairs(better, than, labels)
    if not pairs:
        known = ", ".join(sorted(labels.values()))
        return [_claim(hypothesis, better, than, None, f"not tested: no such pair on this board ({known})")]
    claims = []
    for left, right in pairs:
        test, reason = _try_test(left, right, hypothesis, partitions, labels, values)
        claims.append(_claim(hypothesis, labels[left], labels[right], test, reason))
    return claims


def _try_test(
    left: Method,
    right: Method,
    hypothesis: Mapping[str, str],
    partitions: Sequence[Complete],
    labels: Mapping[Method, str],
    values: UserValues,
) -> tuple[PairTest | None, str]:
    protocol, metric = hypothesis["protocol"], hypothesis["metric"]
    homes = [partition for partition in partitions if left in partition and right in partition]
    if not homes:
        absent = [labels[m] for m in (left, right) if not any(m in partition for partition in partitions)]
        if absent:
            return None, f"not tested: {' and '.join(absent)} has seeds that are not finished"
        return None, "not tested: the two were measured under different protocols"
    cells = [*homes[0][left], *homes[0][right]]
    if any(not cell.metrics.get(protocol) for cell in cells):
        return None, f"not tested: no {protocol} ranking was stored"
    first, second = (values.of_method(homes[0][m], protocol, metric) for m in (left, right))
    return pair_test(first, second), ""


def _claim(
    hypothesis: Mapping[str, str], better: str, than: str, test: PairTest | None, reason: str
) -> Claim:
    return Claim(
        better=better,
        than=than,
        metric=hypothesis["metric"],
        protocol=hypothesis["protocol"],
        test=test,
        p_holm=None,
        verdict="untested",
        words=reason,
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
