"""What old profiles cost and save, as a document."""

from __future__ import annotations

from grasp_bench.report.document import BLANK, Document, Section, Table
from grasp_bench.report.findings.freshness import Age, Freshness, FreshnessCurve
from grasp_bench.report.numbers import count, p_value, percent_with_interval, points_with_interval
from grasp_bench.studies.wording import share, table

RANKINGS = {"full": "Full ranking", "sampled": "Sampled negatives"}
HEADS = ("profiles", "trainings", "metric", "less fresh ones", "p BH", "tokens", "saved")
NOTE = (
    "In percent, mean and 95 % interval for other users and trainings; differences in points, p of users and "
    "trainings crossed, by Benjamini and Hochberg over all tests here."
)


def lay_out_freshness(found: Freshness) -> Document:
    """One section a ranking, one table a method."""
    protocols = dict.fromkeys(curve["protocol"] for curve in found["curves"])
    sections = [
        Section(
            RANKINGS[protocol], [_table(curve) for curve in found["curves"] if curve["protocol"] == protocol]
        )
        for protocol in protocols
    ]
    return Document(f"Freshness of profiles: {found['spec']}", found["notes"], sections)


def _table(curve: FreshnessCurve) -> Table:
    heads = ["profiles", "trainings", curve["metric"], *HEADS[3:]]
    return table(curve["label"], heads, [_row(age) for age in curve["ages"]], [NOTE])


def _row(age: Age) -> list[str]:
    test = age["test"]
    return [
        "fresh" if age["stale"] == 0 else f"{age['stale']} old",
        str(age["trainings"]),
        percent_with_interval(age["mean"], age["low"], age["high"]),
        points_with_interval(test) if test is not None else BLANK,
        p_value(age["p_adjusted"]),
        count(age["tokens"]),
        share(age["saved"]),
    ]
