"""`results/<spec>/method_tuning.json`: what equal searches of all methods found, on validation alone."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from grasp_bench.studies.tuning.schema import Tuning


class MethodSearch(TypedDict):
    """The search of one method.

    `default` is the validation value of the method's own settings (None if its space does not hold them),
    `seconds` the training time of all trials, `expected_best[n - 1]` the expected best of n trials.
    """

    method: str
    default: float | None
    seconds: float
    expected_best: list[float]
    tuning: Tuning


class MethodTuning(TypedDict):
    """All searches; `metric` is of validation under `protocol`, `trials` the budget of each method."""

    spec: str
    sampler: str
    pruner: str
    metric: str
    protocol: str
    dataset: str
    seeds: list[int]
    trials: int
    methods: list[MethodSearch]
    notes: list[str]


def expected_best(values: Sequence[float]) -> list[float]:
    """Return the expected best of n = 1 … B draws, with replacement, from B values.

    With v_(1) ≤ … ≤ v_(B): E[best of n] = Σ_i v_(i) ((i/B)^n − ((i−1)/B)^n), the expected validation
    performance of Dodge et al. ("Show Your Work", EMNLP 2019). It holds for random search; a sampler that
    learns from earlier trials finds good values sooner.

    Example:
        >>> expected_best([0.1, 0.3])
        [0.2, 0.25]
    """
    ordered, size = sorted(values), len(values)
    return [
        sum(value * ((i / size) ** n - ((i - 1) / size) ** n) for i, value in enumerate(ordered, start=1))
        for n in range(1, size + 1)
    ]
