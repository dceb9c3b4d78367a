"""What one request costs, and what an enhancer adds to its backbone."""

from __future__ import annotations

from collections.abc import Iterable

from grasp_bench.report.document import BLANK, Column, Entry, Table
from grasp_bench.report.findings.latency import Latency, LatencyCell
from grasp_bench.report.numbers import count
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.whiskers import Dot, Whisker, dots, whiskers
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, PageSection, Part, Prose

PATHS = {"model": "all precomputed", "live": "neighbours searched live", "text": "encoded and searched live"}
CLAIMED_MS = 1.0


def latency_section(material: PageMaterial) -> PageSection | None:
    """Times by path, and the extra over the bare backbone; None where nothing was timed."""
    found = material.studies.latency
    if found is None or not found["cells"]:
        return None
    facts = (
        f"{found['machine']}, {found['threads']} threads; {count(found['items'])} items, {found['ranking']}."
    )
    parts: list[Part] = [Prose([found["claim"], facts, *found["notes"]])]
    extra = [cell for cell in found["cells"] if cell["extra_ms"] is not None]
    if extra:
        parts.append(_extra(extra))
    paths = dict.fromkeys(timing["path"] for cell in found["cells"] for timing in cell["timings"])
    parts += [_times(found, path) for path in paths]
    parts.append(_throughput(found["cells"]))
    return PageSection("latency", "Latency", parts)


def _extra(cells: Iterable[LatencyCell]) -> Figure:
    rows, entries = [], []
    for cell in cells:
        value = cell["extra_ms"] or 0.0
        low, high = cell["extra_low"], cell["extra_high"]
        told = _ms(value) if low is None or high is None else f"{_ms(value)} [{_ms(low)}, {_ms(high)}]"
        held = low is not None and high is not None and low <= CLAIMED_MS <= high
        rows.append(Whisker(cell["label"], value, low, high, f"{cell['label']}: {told} ms", hollow=held))
        entries.append([Entry(cell["label"]), Entry(cell["backbone"]), Entry(told)])
    name = "Extra time of a request over the bare backbone"
    picture = draw(name, lambda width: whiskers(rows, width, "milliseconds, p50", reference=CLAIMED_MS))
    columns = [Column("method", "left"), Column("backbone", "left"), Column("extra ms [95 % CI]")]
    note = "Dashed line: the claimed bound of 1 ms. A hollow dot: the interval holds it."
    return Figure(name, [picture], Table(name, columns, entries), [note])


def _times(found: Latency, path: str) -> Figure:
    rows, entries = [], []
    for cell in found["cells"]:
        for timing in cell["timings"]:
            if timing["path"] != path:
                continue
            numbers = (timing["p50"], timing["p95"], timing["p99"], timing["mean"])
            told = f"p50 {_ms(timing['p50'])}, p95 {_ms(timing['p95'])}, p99 {_ms(timing['p99'])} ms"
            tip = f"{cell['label']}, {timing['state']}: {told}"
            label = f"{cell['label']}, {timing['state']}"
            rows += [Dot(label, name, timing[name], tip) for name in ("p50", "p95", "p99")]
            texts = (cell["label"], timing["state"], count(timing["requests"]), *map(_ms, numbers))
            entries.append([Entry(text) for text in texts])
    name = f"One request, {PATHS.get(path, path)}"
    picture = draw(name, lambda width: dots(rows, width, "milliseconds", zero=True))
    columns = [
        Column("method", "left"), Column("state", "left"), Column("requests"), Column("p50 ms"),
        Column("p95 ms"), Column("p99 ms"), Column("mean ms"),
    ]  # fmt: skip
    return Figure(name, [picture], Table(name, columns, entries))


def _throughput(cells: Iterable[LatencyCell]) -> Table:
    columns = [Column("method", "left"), Column("batch"), Column("requests a second")]
    rows = [
        [Entry(cell["label"]), Entry(str(cell["batch_size"])), Entry(f"{cell['requests_per_second']:,.0f}")]
        for cell in cells
    ]
    return Table("Throughput in batches", columns, rows)


def _ms(value: float | None) -> str:
    return BLANK if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
