"""What is left of a method's gain when its embeddings belong to others: nothing if it came from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.methods import Method
from grasp_bench.report.schema import LeftOfGain, PairTest
from grasp_bench.report.significance import is_measured, pair_test
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.levels import ALPHA

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
        gain, left = (pair_test(values_of[method], values_of[alone]) for method in (base, shuffled))
        words = _words(gain, left)
        found.append(LeftOfGain(label=labels[base], over=labels[alone], gain=gain, left=left, words=words))
    return found


def _words(gain: PairTest, left: PairTest) -> str:
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
        base, alone = (_trained(cells, method, enhancer) for enhancer in (method.enhancer, NO_ENHANCER))
        if base is not None and alone is not None:
            yield method, base, alone


def _trained(cells: Cells, shuffled: Method, enhancer: str | None) -> Method | None:
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
