"""Latency as a document."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.findings.latency import Extra, Latency, LatencyCell, Timing
from grasp_bench.studies.wording import number, table, with_interval

RANKINGS = {"catalogue": "whole catalogue", "candidates": "candidates"}


def lay_out_latency(found: Latency) -> Document:
    """The claim, then what a request costs extra, then all percentiles."""
    lines = [
        f"{found['machine']}, {found['threads']} thread{'s' if found['threads'] > 1 else ''}. "
        f"{found['items']:,} items in the catalogue, {found['candidates']} candidates.",
        found["claim"],
    ]
    return Document(
        f"Latency: {found['spec']}",
        lines,
        [
            Section("Extra over the bare backbone", [_extras(found)]),
            Section("One request", [_timings(found, ranking) for ranking in RANKINGS]),
            Section("Many at once", [_throughput(found)]),
            Section("How it was measured", lines=found["notes"]),
        ],
    )


def _extras(found: Latency) -> Table:
    rows = [
        [
            cell["slug"], extra["path"], RANKINGS[extra["ranking"]],
            with_interval(extra["ms"], extra["low"], extra["high"]),
            number(extra["cpu_ms"]), extra["verdict"],
        ]
        for cell in found["cells"]
        for extra in _in_order(cell["extras"])
    ]  # fmt: skip
    return table("", ["cell", "path", "scored", "extra ms", "of processor", "under 1 ms"], rows)


def _in_order(extras: list[Extra]) -> list[Extra]:
    return sorted(extras, key=lambda extra: list(RANKINGS).index(extra["ranking"]))


def _timings(found: Latency, ranking: str) -> Table:
    rows = [
        _timing(cell, each)
        for cell in found["cells"]
        for each in cell["timings"]
        if each["ranking"] == ranking
    ]
    heads = ["cell", "path", "state", "requests", "p50", "p95", "p99", "mean", "p50 of processor"]
    return table(f"Milliseconds, {RANKINGS[ranking]}", heads, rows)


def _timing(cell: LatencyCell, timing: Timing) -> list[str]:
    figures = (timing["p50"], timing["p95"], timing["p99"], timing["mean"], timing["cpu_p50"])
    shown = [number(value) for value in figures]
    if timing["requests"] < 100:  # a percentile that no request stands for
        shown[2] = BLANK
    return [cell["slug"], timing["path"], timing["state"], f"{timing['requests']:,}", *shown]


def _throughput(found: Latency) -> Table:
    rows = [
        [cell["slug"], str(cell["batch_size"]), f"{cell['requests_per_second']:,.0f}"]
        for cell in found["cells"]
    ]
    return table("", ["cell", "batch", "requests a second"], rows, ["The best items of the whole catalogue."])
