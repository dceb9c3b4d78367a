"""Exploratory tests: every complete method of a ranking against the best of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.schema import AgainstBest, PairTest, RankingTests
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import compare, top_tier
from grasp_bench.stats.correction import benjamini_hochberg, holm
from grasp_bench.stats.pairing import Values


def pair_test(first: Values, second: Values) -> PairTest:
    """All tests of first less second, as stored in board.json."""
    return cast(PairTest, asdict(compare(first, second)))


def tests_against_best(
    methods: Mapping[str, Sequence[ResultCell]], protocol: str, metric: str, values: UserValues
) -> RankingTests:
    """Find the best method by mean, test all others against it, and mark the tier that it leads.

    Differences are method less best, so zero or below. Methods that were not ranked by this protocol or
    lack the metric are left out.
    """
    users = {
        label: values.of_method(cells, protocol, metric)
        for label, cells in methods.items()
        if all(metric in (cell.metrics.get(protocol) or {}).get("overall", {}) for cell in cells)
    }
    order = sorted(users, key=lambda label: (-float(users[label].mean()), label))
    if not order:
        return RankingTests(best=None, tier=[], pairs=[])
    best, others = order[0], order[1:]
    tests = [pair_test(users[label], users[best]) for label in others]
    raw = [test["p_permutation"] for test in tests]
    pairs = [
        AgainstBest(label=label, test=test, p_bh=bh, p_holm=p)
        for label, test, bh, p in zip(others, tests, benjamini_hochberg(raw), holm(raw), strict=True)
    ]
    inside = [label for label, stays in zip(others, top_tier(raw), strict=True) if stays]
    return RankingTests(best=best, tier=[best, *inside], pairs=pairs)
