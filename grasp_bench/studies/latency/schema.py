"""`results/<spec>/latency.json`: what one request costs, cell by cell. All times in milliseconds."""

from __future__ import annotations

from typing_extensions import TypedDict


class Timing(TypedDict):
    """Percentiles of one path.

    `path`: model (all precomputed), live (neighbours searched in the request) or text (encoded, searched and
    scored in the request); `ranking`: catalogue (the best of all items) or candidates (the scores of a few);
    `state`: warm, or cold (the first request of a fresh process). `cpu_p50` is the median of processor time,
    which excludes other processes; None where it was not measured.
    """

    path: str
    ranking: str
    state: str
    requests: int
    p50: float
    p95: float
    p99: float
    mean: float
    cpu_p50: float | None


class Extra(TypedDict):
    """What a warm request costs more than by the bare backbone: the median of differences, paired by request,
    with its 95 % interval; `verdict` is what the interval says of 1 ms. `cpu_ms` is the median of the
    differences in processor time."""

    path: str
    ranking: str
    ms: float
    low: float
    high: float
    cpu_ms: float
    verdict: str


class LatencyCell(TypedDict):
    """One trained cell. `extra_ms` is that one of `extras` that is of path model and the report's `ranking`;
    a bare backbone has none. `not_measured` maps a path to why it is not there."""

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
    extras: list[Extra]
    not_measured: dict[str, str]


class Latency(TypedDict):
    """All measured cells; `claim` says in words whether "under 1 ms extra a request" holds here."""

    spec: str
    machine: str
    threads: int
    items: int
    candidates: int
    ranking: str
    cells: list[LatencyCell]
    claim: str
    notes: list[str]
