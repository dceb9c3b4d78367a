"""What each ablation costs: its method less the one that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from grasp_bench.report.cells import ResultCell
from grasp_bench.report.methods import Method
from grasp_bench.report.partitions import Partition, read_material
from grasp_bench.report.schema import PairTest
from grasp_bench.report.significance import corrected, is_measured, pair_tests
from grasp_bench.report.user_values import UserValues


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
    there = {
        method: cells for method, cells in partition.cells.items() if is_measured(cells, protocol, metric)
    }
    pairs = list(_pairs(there))
    tests = pair_tests(
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
