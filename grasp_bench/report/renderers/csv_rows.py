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

NOTHING = (None, None, None)
ACROSS = "across datasets"
PROTOCOL = "sampled"  # papers rank among sampled negatives
HEAD = (
    "protocol_hash", "dataset", "method", "seeds", "planned_seeds", "users", "protocol", "group", "metric",
    "seed", "value", "sd", "leaks", "kind", "low", "high", "published", "substituted",
    "warnings",
)  # fmt: skip


def render(board: Board, document: Document) -> str:
    """Means (seed `mean`, with the spread over seeds) and every seed's overall values."""
    stream = io.StringIO(newline="\n")
    writer = csv.writer(_Lines(stream))
    writer.writerow(HEAD)
    for ranking in board["rankings"]:
        beside = _published(ranking)
        for row in ranking["rows"]:
            start = (
                ranking["protocol_hash"], ranking["dataset"], row["label"], len(row["seeds"]),
                len(row["planned_seeds"]), row["users"],
            )  # fmt: skip
            marks = "; ".join(row["leaks"]), row["kind"]
            for rest in [*_means(row), *_seeds(row)]:
                published = beside.get((row["label"], *rest[:4]), NOTHING)
                warnings = " ".join(ranking["warnings"]) if rest[1] == "overall" and rest[3] == "mean" else ""
                ends = "; ".join(row["substituted"]), warnings
                writer.writerow((*start, *rest, *marks, *published, *ends))
        writer.writerows(_sourced(ranking))
    if board["across"] is not None:
        writer.writerows(_across(board["across"]))
    return stream.getvalue()


class _Lines:
    """Ends rows by a line feed. Told to do so, csv would leave names with a return in them unquoted."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        return self._stream.write(row.removesuffix("\r\n") + "\n")


def _published(ranking: Ranking) -> dict[tuple[object, ...], tuple[object, ...]]:
    """Interval and published figure by method, protocol, group, metric and `mean`."""
    figures = ranking["published"]["figures"] if ranking["published"] else []
    return {
        (f["label"], PROTOCOL, f["group"], f["metric"], "mean"): (f["low"], f["high"], f["theirs"])
        for f in figures
    }


def _sourced(ranking: Ranking) -> Iterator[tuple[object, ...]]:
    """A line for each figure of a published row, once however many of ours it stands beside."""
    entries = ranking["published"]["sourced"] if ranking["published"] else []
    rows = {(e["published"], e["source"]["reference"], e["protocol"], e["loss"]): e for e in entries}
    for (name, reference, protocol, loss), entry in rows.items():
        method = ", ".join(filter(None, [name, loss, reference]))
        for metric, theirs in entry["theirs"].items():
            yield (
                ranking["protocol_hash"], ranking["dataset"], method, None, None, None, protocol, "overall",
                metric, "published", theirs, None, "", "published", *NOTHING, "", "",
            )  # fmt: skip


def _across(across: AcrossDatasets) -> Iterator[tuple[object, ...]]:
    """Mean rank, and pairs won, tied and lost, of every ranked method."""
    datasets = ", ".join(across["datasets"])
    for row in across["rows"]:
        if row["mean_rank"] is None:
            continue
        figures = {
            "mean rank": row["mean_rank"], "won": row["won"], "tied": row["tied"], "lost": row["lost"],
        }  # fmt: skip
        for name, figure in figures.items():
            yield (
                None, datasets, row["label"], None, None, None, across["protocol"], ACROSS,
                f"{name} by {across['metric']}", "mean", figure, None, "", row["kind"], *NOTHING,
                "; ".join(row["substituted"]), "",
            )  # fmt: skip


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
