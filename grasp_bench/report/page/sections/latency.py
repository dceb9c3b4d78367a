"""What one request costs, and what an enhancer adds to its backbone."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Column, Entry, Table
from grasp_bench.report.findings.latency import Latency, Timing
from grasp_bench.report.numbers import count
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.whiskers import Dot, Whisker, dots, whiskers
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, Folded, PageSection, Part, Prose

PATHS = {"model": "all precomputed", "live": "neighbours searched live", "text": "encoded and searched live"}
RANKINGS = {"catalogue": "the whole catalogue scored", "candidates": "a few candidates scored"}
CLAIMED_MS = 1.0
ENOUGH_FOR_PERCENTILES = 100  # requests: with fewer, no request stands for a 99th percentile
EXTRA_NOTE = "Dashed line: the claimed bound of 1 ms. A hollow dot: the interval holds it."


def latency_section(material: PageMaterial) -> PageSection | None:
    """The extra over the bare backbone, then times by path; None where nothing was timed."""
    found = material.studies.latency
    if found is None or not found["cells"]:
        return None
    facts = (
        f"{found['machine']}, {found['threads']} thread{'s' if found['threads'] > 1 else ''}; "
        f"{count(found['items'])} items in the catalogue, {count(found['candidates'])} candidates."
    )
    parts: list[Part] = [Prose([found["claim"], facts]), *_extras(found)]
    measured = dict.fromkeys((t["ranking"], t["path"]) for cell in found["cells"] for t in cell["timings"])
    times = {key: _times(found, *key) for key in measured}
    parts += [figure for key, figure in times.items() if key[0] == found["ranking"]]
    others = [figure for key, figure in times.items() if key[0] != found["ranking"]]
    parts += [Folded("One request, by the other ranking", others)] if others else []
    parts.append(_throughput(found))
    parts += [Prose(found["notes"], listed=True)] if found["notes"] else []
    return PageSection("latency", "Latency", parts)


def _names(found: Latency) -> list[str]:
    """Labels of cells where they tell them apart, else slugs."""
    labels = [cell["label"] for cell in found["cells"]]
    return labels if len(set(labels)) == len(labels) else [cell["slug"] for cell in found["cells"]]


def _extras(found: Latency) -> list[Figure]:
    rankings = dict.fromkeys(extra["ranking"] for cell in found["cells"] for extra in cell["extras"])
    return [_extra(found, ranking) for ranking in rankings]


def _extra(found: Latency, ranking: str) -> Figure:
    rows, entries = [], []
    for name, cell in zip(_names(found), found["cells"], strict=True):
        for extra in cell["extras"]:
            if extra["ranking"] != ranking:
                continue
            told = f"{_ms(extra['ms'])} [{_ms(extra['low'])}, {_ms(extra['high'])}]"
            label = f"{name}, {extra['path']}"
            held = extra["low"] <= CLAIMED_MS <= extra["high"]
            tip = f"{label}: {told} ms"
            rows.append(Whisker(label, extra["ms"], extra["low"], extra["high"], tip, hollow=held))
            path = PATHS.get(extra["path"], extra["path"])
            texts = (name, cell["backbone"], path, told, _ms(extra["cpu_ms"]), extra["verdict"])
            entries.append([Entry(text) for text in texts])
    title = f"Extra time of a request over the bare backbone, {RANKINGS.get(ranking, ranking)}"
    picture = draw(title, lambda width: whiskers(rows, width, "milliseconds more", reference=CLAIMED_MS))
    columns = [
        Column("method", "left"), Column("backbone", "left"), Column("path", "left"),
        Column("extra ms [95 % CI]"), Column("of processor"), Column("under 1 ms", "left"),
    ]  # fmt: skip
    return Figure(title, [picture], Table(title, columns, entries), [EXTRA_NOTE])


def _times(found: Latency, ranking: str, path: str) -> Figure:
    rows, entries = [], []
    for name, cell in zip(_names(found), found["cells"], strict=True):
        for timing in cell["timings"]:
            if (timing["ranking"], timing["path"]) != (ranking, path):
                continue
            percentiles = _percentiles(timing)
            told = ", ".join(f"{key} {_ms(value)}" for key, value in percentiles.items())
            label = f"{name}, {timing['state']}"
            rows += [Dot(label, key, value, f"{label}: {told} ms") for key, value in percentiles.items()]
            figures = [percentiles.get(key) for key in ("p50", "p95", "p99")]
            texts = [name, timing["state"], count(timing["requests"])]
            texts += map(_ms, [*figures, timing["mean"], timing["cpu_p50"]])
            entries.append([Entry(text) for text in texts])
    title = f"One request, {PATHS.get(path, path)}, {RANKINGS.get(ranking, ranking)}"
    picture = draw(title, lambda width: dots(rows, width, "milliseconds", zero=True))
    columns = [
        Column("method", "left"), Column("state", "left"), Column("requests"), Column("p50 ms"),
        Column("p95 ms"), Column("p99 ms"), Column("mean ms"), Column("p50 of processor"),
    ]  # fmt: skip
    return Figure(title, [picture], Table(title, columns, entries))


def _percentiles(timing: Timing) -> dict[str, float]:
    if timing["requests"] < ENOUGH_FOR_PERCENTILES:
        return {"p50": timing["p50"]}
    return {"p50": timing["p50"], "p95": timing["p95"], "p99": timing["p99"]}


def _throughput(found: Latency) -> Table:
    columns = [Column("method", "left"), Column("batch"), Column("requests a second")]
    rows = [
        [Entry(name), Entry(str(cell["batch_size"])), Entry(f"{cell['requests_per_second']:,.0f}")]
        for name, cell in zip(_names(found), found["cells"], strict=True)
    ]
    return Table("Many at once, the whole catalogue scored", columns, rows)


def _ms(value: float | None) -> str:
    if value is None:
        return BLANK
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
