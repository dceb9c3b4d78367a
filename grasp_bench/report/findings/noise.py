"""Degradation under noise, computed from the published cells of a spec (a part of the board)."""

from __future__ import annotations

from typing import TypedDict

from grasp_bench.report.findings.interval import Interval
from grasp_bench.report.schema import PairTest


class NoisePoint(Interval):
    """The metric of a method at one rate."""

    rate: float


class NoiseCurve(TypedDict):
    """One method over all rates, on the seeds it has at each of them.

    `area` is the mean of the metric over the range of rates (trapezoids), `retained` that over its value at
    the lowest rate. `below` is the lowest rate, between rates by a straight line, from which the method
    stays below its own backbone alone; None if it never is. `constant`: it reads nothing that is corrupted.
    """

    label: str
    backbone: str | None
    seeds: list[int]
    points: list[NoisePoint]
    area: Interval
    retained: Interval
    below: float | None
    below_words: str
    constant: bool


class DropTest(TypedDict):
    """Paired test of how much two methods lose from the lowest rate to `rate`: a's drop less b's."""

    a: str
    b: str
    rate: float
    drop_a: float
    drop_b: float
    test: PairTest
    p_adjusted: float


class Degradation(TypedDict):
    """One kind of noise, one metric, one ranking (sampled or full)."""

    kind: str
    metric: str
    protocol: str
    rates: list[float]
    curves: list[NoiseCurve]
    drops: list[DropTest]
