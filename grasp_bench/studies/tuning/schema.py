"""`results/<spec>/tuning.json`: what a search of settings found, on validation alone."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict


class Trial(TypedDict):
    """One point of the space; `values` maps a seed, as text, to its best validation value."""

    number: int
    state: Literal["complete", "pruned", "failed"]
    params: dict[str, Any]
    value: float | None
    values: dict[str, float]
    epochs: int
    seconds: float


class CurvePoint(TypedDict):
    """One value of a key: mean over seeds, its interval (None with one seed), and how many seeds."""

    x: Any
    mean: float
    low: float | None
    high: float | None
    seeds: int


OF_CURVES = "Intervals are for these validation users and other seeds."


class Curve(TypedDict):
    """A key against the metric while the other keys are `fixed` (Fig. 4 has two)."""

    key: str
    fixed: dict[str, Any]
    points: list[CurvePoint]


class Contour(TypedDict):
    """Two keys against the metric; `z[j][i]` belongs to `y[j]` and `x[i]`, None where nothing was tried."""

    x_key: str
    y_key: str
    x: list[Any]
    y: list[Any]
    z: list[list[float | None]]


class Tuning(TypedDict):
    """A whole search; `metric` is of validation under `protocol` (sampled or full)."""

    spec: str
    study: str
    sampler: str
    metric: str
    protocol: str
    dataset: str
    seeds: list[int]
    space: dict[str, list[Any]]
    trials: list[Trial]
    best: Trial | None
    importance: dict[str, float]
    curves: list[Curve]
    contours: list[Contour]
    notes: list[str]
