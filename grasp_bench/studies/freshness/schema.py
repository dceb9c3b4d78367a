"""`results/<spec>/freshness.json`: what old profiles cost, and what they save."""

from __future__ import annotations

from typing_extensions import TypedDict

from grasp_bench.report.schema import PairTest


class Age(TypedDict):
    """Profiles made `stale` interactions ago.

    `tokens` are needed when profiles are made again just often enough never to be older, and `saved` is the
    share of the tokens of fresh profiles that this saves. `test` is of this age less fresh,
    `p_adjusted` by Benjamini and Hochberg over all tests of the file; None of fresh profiles themselves.
    """

    stale: int
    trainings: int
    mean: float
    low: float | None
    high: float | None
    tokens: int
    saved: float
    test: PairTest | None
    p_adjusted: float | None


class FreshnessCurve(TypedDict):
    """One method under one ranking (sampled or full)."""

    label: str
    metric: str
    protocol: str
    ages: list[Age]


class Freshness(TypedDict):
    """All curves of a spec."""

    spec: str
    curves: list[FreshnessCurve]
    notes: list[str]
