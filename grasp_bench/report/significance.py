"""Exploratory tests: methods against the best, ablations against their base, shuffled embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.comparable_cells import ComparableCells, read_results
from grasp_bench.report.methods import Method
from grasp_bench.report.schema import AgainstBest, LeftOfGain, PairTest, RankingTests
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import compare, compare_all
from grasp_bench.stats.correction import benjamini_hochberg, holm, of_known
from grasp_bench.stats.levels import ALPHA


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
    tests = compare_all([(ranked[label], ranked[best]) for label in others])
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


class AblationDelta(TypedDict):
    """One ablation less its base; `p_bh` is corrected over the ablations of its ranking and protocol."""

    label: str
    base: str
    test: PairTest
    p_bh: float | None


Deltas = Mapping[str, Mapping[str, Sequence[AblationDelta]]]


def ablation_deltas(folder: Path, metric: str, protocols: Sequence[str]) -> Deltas:
    """Deltas of `metric` by protocol hash and protocol; empty where a spec has no ablations.

    A pair whose values were not all measured is left out. Raises as `UserValues` does for damaged cells.
    """
    stored, values = read_results(folder), UserValues()
    return {
        partition.protocol_hash: {
            protocol: _ablation_deltas(partition, stored.labels, protocol, metric, values)
            for protocol in protocols
        }
        for partition in stored.partitions
    }


def _ablation_deltas(
    partition: ComparableCells, labels: Mapping[Method, str], protocol: str, metric: str, values: UserValues
) -> list[AblationDelta]:
    there = {
        method: cells for method, cells in partition.cells.items() if is_measured(cells, protocol, metric)
    }
    pairs = list(_ablated_pairs(there))
    tests = compare_all(
        [
            (
                values.trainings(there[ablated], protocol, metric),
                values.trainings(there[whole], protocol, metric),
            )
            for ablated, whole in pairs
        ]
    )
    found = [
        AblationDelta(label=labels[ablated], base=labels[whole], test=test, p_bh=p)
        for (ablated, whole), test, p in zip(pairs, tests, corrected(tests), strict=True)
    ]
    return sorted(found, key=lambda delta: (delta["base"], -delta["test"]["difference"], delta["label"]))


def _ablated_pairs(cells: Mapping[Method, Sequence[ResultCell]]) -> Iterator[tuple[Method, Method]]:
    """Each ablated method and itself without the ablation; a compared key that one lacks is no difference."""
    for method in cells:
        if method.kind != "trained" or not method.ablation:
            continue
        setting = dict(method.variant)
        for base in cells:
            same = replace(base, variant=()) == replace(method, ablation=None, variant=())
            if same and all(setting.get(key, value) == value for key, value in base.variant):
                yield method, base
                break


SHUFFLED, NO_ENHANCER = "shuffled", "none"
ONCE = "one training, which decides nothing"
Cells = Mapping[Method, Sequence[ResultCell]]


def left_of_gains(
    cells: Cells, labels: Mapping[Method, str], protocol: str, metric: str, values: UserValues
) -> list[LeftOfGain]:
    """Of each method trained on shuffled embeddings too, its gain over its backbone alone, and what is left.

    Methods whose backbone alone is not there are left out.
    """
    there = {method: found for method, found in cells.items() if is_measured(found, protocol, metric)}
    found = []
    for shuffled, base, alone in _trios(there):
        values_of = {m: values.trainings(there[m], protocol, metric) for m in (shuffled, base, alone)}
        gain, left = (compare(values_of[method], values_of[alone]) for method in (base, shuffled))
        words = _left_words(gain, left)
        found.append(LeftOfGain(label=labels[base], over=labels[alone], gain=gain, left=left, words=words))
    return found


def _left_words(gain: PairTest, left: PairTest) -> str:
    """What is not told from nothing is not said to be nothing."""
    if gain["difference"] <= 0:
        return "no gain to lose"
    if gain["p"] is None or gain["p"] >= ALPHA:
        return "no gain beyond chance" if gain["p"] is not None else ONCE
    if left["difference"] <= 0:
        return "vanishes" if left["p"] is not None else f"vanishes in {ONCE}"
    share = f"{left['difference'] / gain['difference']:.0%} stays"
    if left["p"] is None:
        return f"{share} in {ONCE}"
    return share if left["p"] < ALPHA else f"{share}, which chance may give"


def _trios(cells: Cells) -> Iterator[tuple[Method, Method, Method]]:
    """Each shuffled method, itself as it is, and its backbone alone."""
    for method in cells:
        if method.kind != "control" or method.ablation != SHUFFLED:
            continue
        base, alone = (
            _trained_method(cells, method, enhancer) for enhancer in (method.enhancer, NO_ENHANCER)
        )
        if base is not None and alone is not None:
            yield method, base, alone


def _trained_method(cells: Cells, shuffled: Method, enhancer: str | None) -> Method | None:
    """The trained method of an enhancer in the setting of a shuffled one; None where there is none.

    A compared key that one side's variant lacks made no difference to it.
    """
    wanted = replace(shuffled, enhancer=enhancer, ablation=None, kind="trained", variant=())
    setting = dict(shuffled.variant)
    for method in cells:
        agrees = all(setting.get(key, value) == value for key, value in method.variant)
        if agrees and replace(method, variant=()) == wanted:
            return method
    return None
