"""Print numbers, intervals and verdicts the same in every format."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from grasp_bench.core.words import readable
from grasp_bench.report.document import BLANK
from grasp_bench.report.schema import Claim, DifferenceInterval, PairTest, Stat
from grasp_bench.stats.levels import ALPHA

UNITS = "Metrics in percent, mean ± standard deviation over seeds; differences in points of percent."
GROUP_HEADS = {
    "head_user": "head users",
    "tail_user": "tail users",
    "head_item": "head items",
    "tail_item": "tail items",
    "repeat": "repeat targets",
    "new": "new targets",
    "same_time": "targets of the same time",
    "later": "later targets",
    "ascending": "ascending ids",
    "descending": "descending ids",
    "seen_transition": "seen transitions",
    "unseen_transition": "unseen transitions",
}


def percent(value: float | None) -> str:
    """0.31416 as 31.42."""
    return BLANK if value is None else f"{100 * value:.2f}"


def percent_with_spread(stat: Stat | None) -> str:
    """Mean ± sd over seeds in percent; without ± for one seed."""
    if stat is None:
        return BLANK
    return percent(stat["mean"]) if stat["sd"] is None else f"{percent(stat['mean'])} ± {percent(stat['sd'])}"


def percent_with_interval(mean: float, low: float | None, high: float | None) -> str:
    """A figure and its interval in percent: 34.12 [33.50, 34.74]; without one, the figure alone."""
    if low is None or high is None:
        return percent(mean)
    return f"{percent(mean)} [{percent(low)}, {percent(high)}]"


def points(value: float) -> str:
    """A signed difference in points of percent."""
    return f"{100 * value:+.2f}"


def plain(value: float | None) -> str:
    """Four significant digits."""
    return BLANK if value is None else f"{value:.4g}"


def points_with_interval(test: DifferenceInterval) -> str:
    """A difference and its interval: +1.20 [+0.90, +1.49]."""
    return f"{100 * test['difference']:+.2f} [{100 * test['low']:+.2f}, {100 * test['high']:+.2f}]"


def p_value(p: float | None) -> str:
    """0.0123; small ones as < 0.0001, beyond which no assumption holds."""
    if p is None:
        return BLANK
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def not_told_apart(p: float | None) -> bool:
    """Whether a corrected p leaves open that there is no difference; so does none."""
    return p is None or p >= ALPHA


def probability(value: float) -> str:
    """0.5312 as 0.531."""
    return f"{value:.3f}"


def effect(value: float | None) -> str:
    """Two signed decimals."""
    return BLANK if value is None else f"{value:+.2f}"


def count(value: int | None) -> str:
    """22363 as 22,363."""
    return BLANK if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """Seconds as 12 s, 8 min 32 s, or 2 h 05 min."""
    return BLANK if seconds is None else readable(seconds)


def setting(value: Any) -> str:
    """A value of a spec's key, as it would stand in the spec."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested settings by dotted key."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def share(value: float | None) -> str:
    """0.2739 as 27.4 %; shares under a thousandth keep a second digit."""
    if value is None or not math.isfinite(value):
        return BLANK
    return f"{100 * value:.1f} %" if value == 0 or abs(value) >= 0.001 else f"{100 * value:.2g} %"


def of(part: int, whole: int) -> str:
    """A share of counts, blank of nothing."""
    return share(part / whole) if whole else BLANK


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed decimals."""
    if value is None or not math.isfinite(value):
        return BLANK
    return f"{round(value, digits) + 0.0:,.{digits}f}"  # no minus before a zero


def with_interval(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    """3.21 [3.10, 3.33]."""
    if low is None or high is None or not math.isfinite(low):
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


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
    size, side = 100 * abs(test["difference"]), "above" if test["difference"] > 0 else "below"
    stands = f"{claim['better']} is {side} {claim['than']} by {size:.2f} points of {by}"
    p = p_value(claim["p_holm"])
    span = f"{_interval(test)}, corrected p {p if p.startswith('<') else f'= {p}'}{_at_look(claim)}"
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


def _interval(test: PairTest) -> str:
    return f"95 % interval {100 * test['low']:+.2f} to {100 * test['high']:+.2f}"


def _at_look(claim: Claim) -> str:
    """At which of several looks; nothing where there was one."""
    if claim["look"] is None or len(claim["looks"]) < 2:
        return ""
    number = claim["looks"].index(claim["look"]) + 1
    return f", look {number} of {len(claim['looks'])} ({claim['look']} trainings)"
