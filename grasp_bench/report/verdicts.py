"""Verdicts on hypotheses: their names, and the sentences that say them."""

from __future__ import annotations

from grasp_bench.report.formatting import p_value
from grasp_bench.report.schema import Claim, PairTest

ONE_TRAINING, UNDECIDED, UNTESTED = "one_training", "undecided", "untested"
VERDICTS = ("supported", "refuted", "better", "equivalent", "worse", UNDECIDED, ONE_TRAINING, UNTESTED)
HOLDING = ("supported", "better")  # what was declared is so


def short_verdict(claim: Claim) -> str:
    """For a column: `supported`, `not supported (refuted)`, `these two trainings`."""
    verdict = claim["verdict"]
    if verdict == UNTESTED:
        return "not tested"
    if verdict == ONE_TRAINING:
        return "no verdict (one training)"
    if claim["at_least"]:
        limit = f"{claim['at_least']:g} {'point' if claim['at_least'] == 1 else 'points'}"
        return {
            "better": f"better by at least {limit}",
            "equivalent": f"equivalent within {limit}",
            "worse": f"worse by more than {limit}",
        }.get(verdict, verdict)
    return verdict if verdict == "supported" else f"not supported ({verdict})"


def words_of(claim: Claim) -> str:
    """The answer as one would say it; differences in points of percent, as the tables are."""
    test = claim["test"]
    assert test is not None
    by = f"{claim['metric']} ({claim['protocol']})"
    if claim["verdict"] == ONE_TRAINING:
        return _of_these_trainings(claim, test, by)
    size, side = f"{100 * abs(test['difference']):.2f} points of {by}", _side(test)
    stands = f"{claim['better']} is {side} {claim['than']} by {size}"
    span = f"{_interval(test)}, {_corrected(claim)}{_at_look(claim)}"
    if test["difference"] == 0:
        stands = f"{claim['better']} and {claim['than']} are equal in {by}"
    if claim["at_least"]:
        return f"{short_verdict(claim)}: {stands}; {span}"
    if claim["verdict"] == "supported":
        return f"supported: {stands}; {span}"
    if claim["verdict"] == "refuted":
        return f"not supported: {stands}, and the data show that it is; {span}"
    return f"not supported: {stands}, which chance in users and trainings may give; {span}"


def _of_these_trainings(claim: Claim, test: PairTest, by: str) -> str:
    """What one training is worth, and what would change that."""
    sides = zip((claim["better"], claim["than"]), test["trainings"], strict=True)
    once = " and ".join(name for name, trainings in sides if trainings == 1)
    these = "these two trainings" if test["trainings"] == [1, 1] else "these trainings"
    found = f"{these} differ by {100 * test['difference']:+.2f} points of {by}"
    if test["difference"] == 0:
        found = f"{claim['better']} and {claim['than']} are equal in {by} in {these}"
    return (
        f"no verdict: {found}; "
        f"{_interval(test)} over users alone; train {once} with more seeds, two at least, to say something "
        "of the method"
    )


def _side(test: PairTest) -> str:
    return "above" if test["difference"] > 0 else "below"


def _interval(test: PairTest) -> str:
    return f"95 % interval {100 * test['low']:+.2f} to {100 * test['high']:+.2f}"


def _corrected(claim: Claim) -> str:
    told = p_value(claim["p_holm"])
    return f"corrected p {told}" if told.startswith("<") else f"corrected p = {told}"


def _at_look(claim: Claim) -> str:
    """At which of several looks; nothing where there was one."""
    if claim["look"] is None or len(claim["looks"]) < 2:
        return ""
    number = claim["looks"].index(claim["look"]) + 1
    return f", look {number} of {len(claim['looks'])} ({claim['look']} trainings)"
