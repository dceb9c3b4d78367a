"""What each ablation costs: its method less the one that it was made from, on the seeds that both have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.methods import Method
from grasp_bench.report.partitions import Partition, read_material
from grasp_bench.report.schema import PairTest
from grasp_bench.report.seeds import on_shared_seeds, seeds_of_pair
from grasp_bench.report.significance import pair_tests
from grasp_bench.report.user_values import UserValues
from grasp_bench.stats.correction import benjamini_hochberg


class AblationDelta(TypedDict):
    """One ablation less its base; `p_bh` is corrected over the ablations of its ranking and protocol."""

    label: str
    base: str
    seeds: list[int]
    test: PairTest
    p_bh: float


Deltas = Mapping[str, Mapping[str, Sequence[AblationDelta]]]


def ablation_deltas(folder: Path, metric: str, protocols: Sequence[str]) -> Deltas:
    """Deltas of `metric` by protocol hash and protocol; empty where a spec has no ablations.

    A pair whose values were not all measured, or that has no seed in common, is left out. Raises as
    `UserValues` does for damaged cells.
    """
    material, values = read_material(folder), UserValues()
    return {
        partition.protocol_hash: {
            protocol: _deltas(partition, material.labels, protocol, metric, values) for protocol in protocols
        }
        for partition in material.partitions
    }


def _deltas(
    partition: Partition, labels: Mapping[Method, str], protocol: str, metric: str, values: UserValues
) -> list[AblationDelta]:
    measured = {
        method: [c for c in cells if metric in (c.metrics.get(protocol) or {}).get("overall", {})]
        for method, cells in partition.cells.items()
    }
    pairs = {
        (labels[method], labels[base]): sides
        for method, base in _pairs(measured)
        if all(sides := on_shared_seeds(measured[method], measured[base]))
    }
    tests = pair_tests(
        [
            (values.of_method(ablated, protocol, metric), values.of_method(whole, protocol, metric))
            for ablated, whole in pairs.values()
        ]
    )
    adjusted = benjamini_hochberg([test["p_permutation"] for test in tests])
    found = [
        AblationDelta(label=label, base=base, seeds=seeds_of_pair(*sides), test=test, p_bh=p)
        for ((label, base), sides), test, p in zip(pairs.items(), tests, adjusted, strict=True)
    ]
    return sorted(found, key=lambda delta: (delta["base"], -delta["test"]["difference"], delta["label"]))


def _pairs(cells: Mapping[Method, Sequence[ResultCell]]) -> Iterator[tuple[Method, Method]]:
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
