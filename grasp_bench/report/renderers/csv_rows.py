"""The board as tidy CSV: one number a line, fractions in [0, 1].

A mean is over as many seeds as its line says. `published`, and the interval of our mean from `low` to
`high`, stand where the spec names a published figure. Published rows that have each a source of their own are
lines of the kind `published`: several may stand beside one of ours. Mean ranks over datasets, and the pairs
won, tied and lost there, are no fractions; they have no protocol hash, for they are of several. What the
dataset's card warns of stands in the lines of means over all users.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from grasp_bench.report.across_schema import AcrossDatasets
from grasp_bench.report.document import Document
from grasp_bench.report.schema import Board, Ranking, Row

Line = dict[str, object]
ACROSS = "across datasets"
PROTOCOL = "sampled"  # papers rank among sampled negatives
HEAD = (
    "protocol_hash", "dataset", "method", "seeds", "planned_seeds", "users", "protocol", "group", "metric",
    "seed", "value", "sd", "leaks", "kind", "low", "high", "published", "substituted",
    "warnings",
)  # fmt: skip
MEASURED = ("protocol", "group", "metric", "seed", "value", "sd")


def render(board: Board, document: Document) -> str:
    """Means (seed `mean`, with the spread over seeds) and every seed's overall values."""
    stream = io.StringIO(newline="\n")
    writer = csv.DictWriter(_Lines(stream), HEAD)
    writer.writeheader()
    for ranking in board["rankings"]:
        about = {"protocol_hash": ranking["protocol_hash"], "dataset": ranking["dataset"]}
        writer.writerows({**about, **line} for line in [*_ours(ranking), *_sourced(ranking)])
    if board["across"] is not None:
        writer.writerows(_across(board["across"]))
    return stream.getvalue()


class _Lines:
    """Ends rows by a line feed. Told to do so, csv would leave names with a return in them unquoted."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        return self._stream.write(row.removesuffix("\r\n") + "\n")


def _ours(ranking: Ranking) -> Iterator[Line]:
    """Every mean and every seed's value, with the interval and the published figure where there is one."""
    figures = ranking["published"]["figures"] if ranking["published"] else []
    published: dict[tuple[object, ...], Line] = {
        (f["label"], PROTOCOL, f["group"], f["metric"], "mean"): {
            "low": f["low"], "high": f["high"], "published": f["theirs"],
        }
        for f in figures
    }  # fmt: skip
    for row in ranking["rows"]:
        about = {
            "method": row["label"], "seeds": len(row["seeds"]), "planned_seeds": len(row["planned_seeds"]),
            "users": row["users"], "leaks": "; ".join(row["leaks"]), "kind": row["kind"],
            "substituted": "; ".join(row["substituted"]),
        }  # fmt: skip
        for rest in [*_means(row), *_seeds(row)]:
            warned = {"warnings": " ".join(ranking["warnings"])} if rest[1:4:2] == ("overall", "mean") else {}
            beside = published.get((row["label"], *rest[:4]), {})
            yield {**about, **dict(zip(MEASURED, rest, strict=True)), **beside, **warned}


def _sourced(ranking: Ranking) -> Iterator[Line]:
    """A line for each figure of a published row, once however many of ours it stands beside."""
    entries = ranking["published"]["sourced"] if ranking["published"] else []
    rows = {(e["published"], e["source"]["reference"], e["protocol"], e["loss"]): e for e in entries}
    for (name, reference, protocol, loss), entry in rows.items():
        method = ", ".join(filter(None, [name, loss, reference]))
        for metric, theirs in entry["theirs"].items():
            yield {
                "method": method, "protocol": protocol, "group": "overall", "metric": metric,
                "seed": "published", "value": theirs, "kind": "published",
            }  # fmt: skip


def _across(across: AcrossDatasets) -> Iterator[Line]:
    """Mean rank, and pairs won, tied and lost, of every ranked method."""
    for row in across["rows"]:
        if row["mean_rank"] is None:
            continue
        about = {
            "dataset": ", ".join(across["datasets"]), "method": row["label"], "protocol": across["protocol"],
            "group": ACROSS, "seed": "mean", "kind": row["kind"],
            "substituted": "; ".join(row["substituted"]),
        }  # fmt: skip
        figures = (row["mean_rank"], row["won"], row["tied"], row["lost"])
        for name, figure in zip(("mean rank", "won", "tied", "lost"), figures, strict=True):
            yield {**about, "metric": f"{name} by {across['metric']}", "value": figure}


def _means(row: Row) -> Iterator[tuple[object, ...]]:
    for protocol, groups in row["values"].items():
        for group, metrics in groups.items():
            for metric, stat in metrics.items():
                yield protocol, group, metric, "mean", stat["mean"], stat["sd"]
    for metric, stat in row["beyond"].items():
        yield "beyond", "overall", metric, "mean", stat["mean"], stat["sd"]


def _seeds(row: Row) -> Iterator[tuple[object, ...]]:
    for protocol, seeds in row["per_seed"].items():
        for seed, metrics in seeds.items():
            for metric, value in metrics.items():
                yield protocol, "overall", metric, seed, value, None
