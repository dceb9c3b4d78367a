"""Exploratory tests: every method of a ranking against the best of it, on the seeds that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.schema import AgainstBest, PairTest, RankingTests
from grasp_bench.report.seeds import on_shared_seeds, seeds_of_pair
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import compare_all, top_tier
from grasp_bench.stats.correction import benjamini_hochberg, holm
from grasp_bench.stats.pairing import Values


def pair_test(first: Values, second: Values) -> PairTest:
    """All tests of first less second, as stored in board.json."""
    (test,) = pair_tests([(first, second)])
    return test


def pair_tests(pairs: Sequence[tuple[Values, Values]]) -> list[PairTest]:
    """The tests of many pairs, which cost less together than one by one."""
    return [cast(PairTest, asdict(comparison)) for comparison in compare_all(pairs)]


def tests_against_best(
    methods: Mapping[str, Sequence[ResultCell]], protocol: str, metric: str, values: UserValues
) -> RankingTests:
    """Find the best method by mean, test all others against it, and mark the tier that it leads.

    Differences are method less best. Methods that were not ranked by this protocol or lack the metric are
    left out, and so are those that share no seed with the best.
    """
    ranked = {
        label: cells
        for label, cells in methods.items()
        if all(metric in (cell.metrics.get(protocol) or {}).get("overall", {}) for cell in cells)
    }
    means = {
        label: float(values.of_method(cells, protocol, metric).mean()) for label, cells in ranked.items()
    }
    order = sorted(means, key=lambda label: (-means[label], label))
    if not order:
        return RankingTests(best=None, tier=[], pairs=[], shuffled=[])
    best = order[0]
    sides = {label: on_shared_seeds(ranked[label], ranked[best]) for label in order[1:]}
    sides = {label: both for label, both in sides.items() if both[0]}
    tests = pair_tests(
        [
            (values.of_method(method, protocol, metric), values.of_method(other, protocol, metric))
            for method, other in sides.values()
        ]
    )
    raw = [test["p_permutation"] for test in tests]
    pairs = [
        AgainstBest(label=label, seeds=seeds_of_pair(*both), test=test, p_bh=bh, p_holm=p)
        for (label, both), test, bh, p in zip(
            sides.items(), tests, benjamini_hochberg(raw), holm(raw), strict=True
        )
    ]
    inside = [label for label, stays in zip(sides, top_tier(raw), strict=True) if stays]
    return RankingTests(best=best, tier=[best, *inside], pairs=pairs, shuffled=[])
