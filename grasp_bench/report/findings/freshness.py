"""`results/<spec>/freshness.json`: what old profiles cost, and what they save."""

from __future__ import annotations

from typing import TypedDict


class Age(TypedDict):
    """Profiles made `stale` interactions ago. `saved` is the share of a user's tokens that is not asked for
    when profiles are made anew only that often."""

    stale: int
    mean: float
    low: float | None
    high: float | None
    tokens: int
    saved: float


class FreshnessCurve(TypedDict):
    """One method under one ranking (sampled or full)."""

    label: str
    metric: str
    protocol: str
    seeds: list[int]
    ages: list[Age]


class Freshness(TypedDict):
    """All curves of a spec."""

    spec: str
    curves: list[FreshnessCurve]
    notes: list[str]
