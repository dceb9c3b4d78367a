"""Exploratory tests: every method of a ranking against the best of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.schema import AgainstBest, PairTest, RankingTests
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import compare_all
from grasp_bench.stats.correction import benjamini_hochberg, holm, of_known
from grasp_bench.stats.levels import ALPHA
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
    return of_known(benjamini_hochberg, [test["p"] for test in tests])


def is_measured(cells: Sequence[ResultCell], protocol: str, metric: str) -> bool:
    """Whether a method has cells, and each a value of the metric in this ranking."""
    sections = [(cell.metrics.get(protocol) or {}).get("overall", {}) for cell in cells]
    return bool(sections) and all(metric in section for section in sections)


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
        if is_measured(cells, protocol, metric)
    }
    order = sorted(ranked, key=lambda label: (-ranked[label].mean, label))
    if not order:
        return RankingTests(best=None, tier=[], pairs=[], shuffled=[])
    best, *others = order
    tests = pair_tests([(ranked[label], ranked[best]) for label in others])
    by_holm = of_known(holm, [test["p"] for test in tests])
    pairs = [
        AgainstBest(label=label, test=test, p_bh=bh, p_holm=p)
        for label, test, bh, p in zip(others, tests, corrected(tests), by_holm, strict=True)
    ]
    # The walk from the best does not stop at the first that leaves: a method further down may vary so much
    # that nothing is known of it.
    tier = [pair["label"] for pair in pairs if pair["p_holm"] is not None and pair["p_holm"] >= ALPHA]
    leads = ranked[best].known and (not pairs or any(pair["p_holm"] is not None for pair in pairs))
    return RankingTests(best=best, tier=[best, *tier] if leads else [], pairs=pairs, shuffled=[])
