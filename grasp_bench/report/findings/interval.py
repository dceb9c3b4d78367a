"""A mean with its interval, as every study writes it."""

from __future__ import annotations

from typing_extensions import TypedDict


class Interval(TypedDict):
    """A mean and its 95 % interval; `low` and `high` are None where one value is all there is."""

    mean: float
    low: float | None
    high: float | None
