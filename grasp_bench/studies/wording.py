"""Figures of inspections as people read them, and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from grasp_bench.report.document import BLANK, Column, Entry, Table


def as_json(value: Any) -> Any:
    """Dataclasses to plain values; numbers that are not finite become null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def share(value: float | None) -> str:
    """0.2739 as 27.4 %; shares under a thousandth keep a second digit."""
    if value is None or not math.isfinite(value):
        return BLANK
    return f"{100 * value:.1f} %" if value == 0 or abs(value) >= 0.001 else f"{100 * value:.2g} %"


def of(part: int, whole: int) -> str:
    """A share of counts, blank of nothing."""
    return share(part / whole) if whole else BLANK


def number(value: float | None, digits: int = 2) -> str:
    """A number with fixed decimals."""
    if value is None or not math.isfinite(value):
        return BLANK
    return f"{round(value, digits) + 0.0:,.{digits}f}"  # no minus before a zero


def with_interval(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    """3.21 [3.10, 3.33]."""
    if low is None or high is None or not math.isfinite(low):
        return number(value, digits)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def table(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()
) -> Table:
    """A table whose first column is names."""
    columns = [Column(head, "right" if place else "left") for place, head in enumerate(heads)]
    return Table(title, columns, [[Entry(text) for text in row] for row in rows], notes)
