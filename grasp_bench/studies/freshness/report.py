"""Show the metric against the age of profiles and against the tokens saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from grasp_bench.report.charts.curves import CurvePoint, curves
from grasp_bench.report.document import BLANK, Chart, Document, Figure, Section, Table
from grasp_bench.report.formatting import count, p_value, percent, percent_with_interval, points_with_interval
from grasp_bench.report.studies import Study
from grasp_bench.studies.freshness.schema import Age, Freshness, FreshnessCurve

RANKINGS = {"full": "Full ranking", "sampled": "Sampled negatives"}
NOTE = (
    "In percent, mean and 95 % interval for other users and trainings; differences in points, p of users and "
    "trainings crossed, by Benjamini and Hochberg over all tests here."
)
AXES: dict[str, tuple[str, Callable[[Age], float]]] = {
    "age of profiles": ("interactions since the profile was made", lambda age: age["stale"]),
    "tokens saved": ("share of tokens saved, percent", lambda age: round(100 * age["saved"], 2)),
}


def lay_out_freshness(found: Freshness) -> Document:
    """Arrange one section for each ranking, with one figure for each metric."""
    by_ranking: dict[str, list[Figure]] = {}
    for metric, protocol in dict.fromkeys((curve["metric"], curve["protocol"]) for curve in found["curves"]):
        chosen = [
            curve for curve in found["curves"] if (curve["metric"], curve["protocol"]) == (metric, protocol)
        ]
        by_ranking.setdefault(protocol, []).append(_figure(chosen, metric, protocol))
    sections = [Section(RANKINGS[protocol], figures) for protocol, figures in by_ranking.items()]
    return Document(f"Freshness of profiles: {found['spec']}", found["notes"], sections)


def _figure(chosen: Sequence[FreshnessCurve], metric: str, protocol: str) -> Figure:
    title = f"{metric} by age of profiles, {protocol} ranking"
    charts = []
    for what, (axis, x_of) in AXES.items():
        points = _points(chosen, x_of)
        if len({point.x for point in points}) > 1:
            name = f"{metric} against {what}, {protocol} ranking"
            charts.append(Chart(name, partial(curves, points, x_title=axis, y_title=f"{metric}, percent")))
    heads = [
        "method", "trainings", "interactions old", f"{metric} [95 % CI]", "less fresh [95 % CI]", "p BH",
        "tokens", "saved",
    ]  # fmt: skip
    rows = [[curve["label"], *_row(age)] for curve in chosen for age in curve["ages"]]
    return Figure(title, charts, Table.of_texts(title, heads, rows, [NOTE]))


def _points(chosen: Sequence[FreshnessCurve], x_of: Callable[[Age], float]) -> list[CurvePoint]:
    return [
        CurvePoint(
            series=curve["label"],
            x=x_of(age),
            y=100 * age["mean"],
            tip=f"{curve['label']}, {age['stale']} old: "
            f"{percent_with_interval(age['mean'], age['low'], age['high'])}, {percent(age['saved'])} % saved",
            low=None if age["low"] is None else 100 * age["low"],
            high=None if age["high"] is None else 100 * age["high"],
        )
        for curve in chosen
        for age in curve["ages"]
    ]


def _row(age: Age) -> list[str]:
    test = age["test"]
    return [
        str(age["trainings"]),
        str(age["stale"]),
        percent_with_interval(age["mean"], age["low"], age["high"]),
        points_with_interval(test) if test is not None else BLANK,
        p_value(age["p_adjusted"]),
        count(age["tokens"]),
        f"{percent(age['saved'])} %",
    ]


STUDY = Study(
    title="Freshness", command="grasp-bench inspect freshness", schema=Freshness, document=lay_out_freshness
)
