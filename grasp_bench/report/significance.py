"""Exploratory tests: every method of a ranking against the best of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.schema import AgainstBest, PairTest, RankingTests
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import compare_all, top_tier
from grasp_bench.stats.correction import benjamini_hochberg, holm
from grasp_bench.stats.trainings import Trainings


def pair_test(first: Trainings, second: Trainings) -> PairTest:
    """All tests of first less second, as stored in board.json."""
    (test,) = pair_tests([(first, second)])
    return test


def pair_tests(pairs: Sequence[tuple[Trainings, Trainings]]) -> list[PairTest]:
    """The tests of many pairs, which cost less together than one by one."""
    return [
        cast(PairTest, asdict(comparison) | {"trainings": list(comparison.trainings)})
        for comparison in compare_all(pairs)
    ]


def corrected(tests: Sequence[PairTest]) -> list[float | None]:
    """p of each test after Benjamini–Hochberg over those that decide; None for the others."""
    adjusted = iter(benjamini_hochberg([test["p"] for test in tests if test["p"] is not None]))
    return [None if test["p"] is None else next(adjusted) for test in tests]


def measured(cells: Sequence[ResultCell], protocol: str, metric: str) -> list[ResultCell]:
    """The cells that have a value of the metric in this ranking."""
    return [cell for cell in cells if metric in (cell.metrics.get(protocol) or {}).get("overall", {})]


def tests_against_best(
    methods: Mapping[str, Sequence[ResultCell]], protocol: str, metric: str, values: UserValues
) -> RankingTests:
    """Find the best method by mean, test all others against it, and mark the tier that it leads.

    Differences are method less best. Methods that were not ranked by this protocol or lack the metric are
    left out. Pairs of which one was trained once decide nothing: they are in no family and mark no tier, and
    a best that was trained once leads none.
    """
    ranked = {
        label: values.trainings(cells, protocol, metric)
        for label, cells in methods.items()
        if len(measured(cells, protocol, metric)) == len(cells)
    }
    order = sorted(ranked, key=lambda label: (-ranked[label].mean, label))
    if not order:
        return RankingTests(best=None, tier=[], pairs=[], shuffled=[])
    best, *others = order
    tests = pair_tests([(ranked[label], ranked[best]) for label in others])
    raw = [test["p"] for test in tests if test["p"] is not None]
    by_holm, inside = iter(holm(raw)), iter(top_tier(raw))
    pairs = [
        AgainstBest(label=label, test=test, p_bh=bh, p_holm=None if bh is None else next(by_holm))
        for label, test, bh in zip(others, tests, corrected(tests), strict=True)
    ]
    tier = [pair["label"] for pair in pairs if pair["p_bh"] is not None and next(inside)]
    leads = not others or bool(raw)
    return RankingTests(
        best=best, tier=[best, *tier] if leads and ranked[best].known else [], pairs=pairs, shuffled=[]
    )
