"""`results/<spec>/latency.json`: what one request costs, cell by cell. All times in milliseconds."""

from __future__ import annotations

from typing import TypedDict


class Timing(TypedDict):
    """Percentiles of one path. `path`: model (all precomputed), live (neighbours searched in the request)
    or text (encoded, searched and scored in the request); `state`: warm or cold."""

    path: str
    state: str
    requests: int
    p50: float
    p95: float
    p99: float
    mean: float


class LatencyCell(TypedDict):
    """One trained cell. `extra_ms` is p50 (warm, model) less that of its bare backbone, with an interval."""

    slug: str
    label: str
    backbone: str
    enhancer: str
    timings: list[Timing]
    batch_size: int
    requests_per_second: float
    extra_ms: float | None
    extra_low: float | None
    extra_high: float | None


class Latency(TypedDict):
    """All measured cells; `claim` says in words whether "under 1 ms extra a request" holds here."""

    spec: str
    machine: str
    threads: int
    items: int
    ranking: str
    cells: list[LatencyCell]
    claim: str
    notes: list[str]
