"""Show what one request costs, and what an enhancer adds to its backbone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from grasp_bench.report.charts.row_charts import Dot, Whisker, dots, whiskers
from grasp_bench.report.document import BLANK, Chart, Document, Figure, Section, Table
from grasp_bench.report.formatting import count
from grasp_bench.report.studies import Study
from grasp_bench.studies.latency.schema import Latency

PATHS = {"model": "all precomputed", "live": "neighbours searched live", "text": "encoded and searched live"}
RANKINGS = {"catalogue": "the whole catalogue scored", "candidates": "a few candidates scored"}
CLAIMED_MS = 1.0
ENOUGH_FOR_PERCENTILES = 100  # requests: with fewer, no request stands for a 99th percentile
EXTRA_NOTE = "Dashed line: the claimed bound of 1 ms. A hollow dot: the interval holds it."


def lay_out_latency(found: Latency) -> Document:
    """Arrange the claim, then what a request costs extra, then all percentiles."""
    facts = (
        f"{found['machine']}, {found['threads']} thread{'s' if found['threads'] > 1 else ''}; "
        f"{count(found['items'])} items in the catalogue, {count(found['candidates'])} candidates."
    )
    extra = dict.fromkeys(each["ranking"] for cell in found["cells"] for each in cell["extras"])
    timed = dict.fromkeys(each["ranking"] for cell in found["cells"] for each in cell["timings"])
    sections = [
        Section("Extra over the bare backbone", [_extra(found, ranking) for ranking in extra]),
        Section("One request", [_times(found, ranking) for ranking in timed]),
        Section("Many at once", [_throughput(found)]),
        Section("How it was measured", lines=found["notes"]),
    ]
    return Document(f"Latency: {found['spec']}", [found["claim"], facts], sections if found["cells"] else [])


def summary_of(found: Latency) -> Iterator[str]:
    """The claim, for the head of a page."""
    yield f"Latency: {found['claim']}"


def _names(found: Latency) -> list[str]:
    """Labels of cells where they tell them apart, else slugs."""
    labels = [cell["label"] for cell in found["cells"]]
    return labels if len(set(labels)) == len(labels) else [cell["slug"] for cell in found["cells"]]


def _extra(found: Latency, ranking: str) -> Figure:
    drawn, rows = [], []
    for name, cell in zip(_names(found), found["cells"], strict=True):
        for extra in cell["extras"]:
            if extra["ranking"] == ranking:
                interval = f"{_ms(extra['ms'])} [{_ms(extra['low'])}, {_ms(extra['high'])}]"
                label, path = f"{name}, {extra['path']}", PATHS.get(extra["path"], extra["path"])
                held = extra["low"] <= CLAIMED_MS <= extra["high"]
                tip = f"{label}: {interval} ms"
                drawn.append(Whisker(label, extra["ms"], extra["low"], extra["high"], tip, hollow=held))
                rows.append([name, cell["backbone"], path, interval, _ms(extra["cpu_ms"]), extra["verdict"]])
    title = f"Extra time of a request over the bare backbone, {RANKINGS.get(ranking, ranking)}"
    heads = ["method", "backbone", "path", "extra ms [95 % CI]", "of processor", "under 1 ms"]
    make = partial(whiskers, drawn, title="milliseconds more", reference=CLAIMED_MS)
    return Figure.of_one(title, make, Table.of_texts(title, heads, rows, names=3), [EXTRA_NOTE])


def _times(found: Latency, ranking: str) -> Figure:
    """One table of all paths, one chart for each."""
    drawn: dict[str, list[Dot]] = {}
    rows = []
    for name, cell in zip(_names(found), found["cells"], strict=True):
        for timing in cell["timings"]:
            if timing["ranking"] == ranking:
                path, percentiles = timing["path"], {"p50": timing["p50"]}
                if timing["requests"] >= ENOUGH_FOR_PERCENTILES:
                    percentiles |= {"p95": timing["p95"], "p99": timing["p99"]}
                text = ", ".join(f"{key} {_ms(value)}" for key, value in percentiles.items())
                label = f"{name}, {timing['state']}"
                drawn.setdefault(path, []).extend(
                    Dot(label, key, value, f"{label}: {text} ms") for key, value in percentiles.items()
                )
                figures = [percentiles.get(key) for key in ("p50", "p95", "p99")]
                start = [name, PATHS.get(path, path), timing["state"], count(timing["requests"])]
                rows.append([*start, *map(_ms, [*figures, timing["mean"], timing["cpu_p50"]])])
    title = f"One request, {RANKINGS.get(ranking, ranking)}"
    charts = [
        Chart(f"{title}, {PATHS.get(path, path)}", partial(dots, each, title="milliseconds", zero=True))
        for path, each in drawn.items()
    ]
    heads = ["method", "path", "state", "requests", *(f"{name} ms" for name in ("p50", "p95", "p99", "mean"))]
    heads.append("p50 of processor")
    return Figure(title, charts, Table.of_texts(title, heads, rows, names=3))


def _throughput(found: Latency) -> Table:
    rows = [
        [name, str(cell["batch_size"]), f"{cell['requests_per_second']:,.0f}"]
        for name, cell in zip(_names(found), found["cells"], strict=True)
    ]
    return Table.of_texts(
        "Many at once, the whole catalogue scored", ["method", "batch", "requests a second"], rows
    )


def _ms(value: float | None) -> str:
    if value is None:
        return BLANK
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}"


STUDY = Study(
    title="Latency",
    command="grasp-bench latency",
    schema=Latency,
    document=lay_out_latency,
    summary=summary_of,
)
