"""What is left of a method's gain when its embeddings belong to others: nothing if it came from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.methods import Method
from grasp_bench.report.schema import LeftOfGain, PairTest
from grasp_bench.report.significance import pair_test
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.comparison import ALPHA

SHUFFLED, NO_ENHANCER = "shuffled", "none"
Cells = Mapping[Method, Sequence[ResultCell]]


def left_of_gains(
    cells: Cells, labels: Mapping[Method, str], protocol: str, metric: str, values: UserValues
) -> list[LeftOfGain]:
    """Of each method trained on shuffled embeddings too, its gain over its backbone alone, and what is left.

    Both on the seeds that were shuffled. Methods whose backbone alone is not there are left out.
    """
    measured = {
        method: [c for c in found if metric in (c.metrics.get(protocol) or {}).get("overall", {})]
        for method, found in cells.items()
    }
    found = []
    for shuffled, base, alone in _trios(measured):
        seeds = {cell.seed for cell in measured[shuffled]}
        seeds &= {cell.seed for cell in measured[base]} & {cell.seed for cell in measured[alone]}
        sides = {
            method: [cell for cell in measured[method] if cell.seed in seeds]
            for method in (shuffled, base, alone)
        }
        if seeds:
            users = {m: values.of_method(mine, protocol, metric) for m, mine in sides.items()}
            gain, left = (pair_test(users[method], users[alone]) for method in (base, shuffled))
            named = sorted(seed for seed in seeds if seed is not None)
            found.append(
                LeftOfGain(
                    label=labels[base], over=labels[alone], seeds=named, gain=gain, left=left,
                    words=_words(gain, left),
                )
            )  # fmt: skip
    return found


def _words(gain: PairTest, left: PairTest) -> str:
    """What is not told from nothing is not said to be nothing."""
    if gain["difference"] <= 0:
        return "no gain to lose"
    if gain["p_permutation"] >= ALPHA:
        return "no gain beyond chance"
    if left["difference"] <= 0:
        return "vanishes"
    share = f"{left['difference'] / gain['difference']:.0%} stays"
    return share if left["p_permutation"] < ALPHA else f"{share}, which chance alone may give"


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
