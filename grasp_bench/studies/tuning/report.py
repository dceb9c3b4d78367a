"""Show a search: the best trial, the curves of the paper's Fig. 4, the grid of two keys, all trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grasp_bench.report.charts.curves import CurvePoint, curves
from grasp_bench.report.charts.row_charts import Bar, bars
from grasp_bench.report.charts.theme import Axes, Square, grid
from grasp_bench.report.document import (
    BLANK,
    Chart,
    Column,
    Document,
    Entry,
    Figure,
    Section,
    Table,
    mark_best,
)
from grasp_bench.report.formatting import count, duration, percent, percent_with_interval, setting
from grasp_bench.report.studies import Study
from grasp_bench.studies.tuning.schema import OF_CURVES, Contour, Curve, Trial, Tuning

OF_IMPORTANCE = "Of what keys explain alone (fANOVA, Hutter et al. 2014); of few trials, a hint."


def lay_out_tuning(found: Tuning) -> Document:
    """Arrange the best trial, what matters, the curves, and all trials (folded)."""
    space = ", ".join(f"{key} in {setting(values)}" for key, values in found["space"].items())
    lines = [
        f"Validation alone ({found['metric']}, {found['protocol']} ranking of {found['dataset']}), sampler "
        f"{found['sampler']}, seeds {', '.join(map(str, found['seeds']))}, study {found['study']}: no test "
        "item was looked at.",
        f"Space: {space}.",
    ]
    curves_there = [_curve(found, each) for each in found["curves"] if each["points"]]
    contours = [_contour(found, each) for each in found["contours"] if each["x"] and each["y"]]
    importance = [_importance(found)] if found["importance"] else []
    parts = {"Importance": importance, "Curves": curves_there, "Two keys at once": contours}
    sections = [Section("Best", lines=_best(found))]
    sections += [Section(title, figures) for title, figures in parts.items() if figures]
    if found["trials"]:
        sections.append(Section("Trials", [trials_figure(found)], folded=True))
    return Document(f"Tuning: {found['spec']}", lines, [*sections, Section("Notes", lines=found["notes"])])


def summary_of(found: Tuning) -> Iterator[str]:
    """The best setting, for the head of a page."""
    if found["best"]:
        chosen = ", ".join(f"{key} {setting(value)}" for key, value in found["best"]["params"].items())
        yield (
            f"Best setting of {len(found['trials'])} trials by validation {found['metric']}: {chosen} "
            f"({percent(found['best']['value'])} %)."
        )


def _best(found: Tuning) -> list[str]:
    best = found["best"]
    if best is None:
        return ["No trial is complete."]
    complete = sum(trial["state"] == "complete" for trial in found["trials"])
    seeds = ", ".join(f"{percent(value)} (seed {seed})" for seed, value in best["values"].items())
    return [
        f"Trial {best['number']}: {_settings(best['params'])}.",
        f"{found['metric']} {percent(best['value'])} % on validation: {seeds}. The best of {complete} is "
        "higher by the choice itself.",
    ]


def _settings(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {setting(value)}" for key, value in params.items())


def _axis(found: Tuning) -> str:
    return f"validation {found['metric']}, percent"


def _curve(found: Tuning, curve: Curve) -> Figure:
    points, rows = [], []
    marks = mark_best([point["mean"] for point in curve["points"]])
    for point, mark in zip(curve["points"], marks, strict=True):
        mean, low, high = point["mean"], point["low"], point["high"]
        figure = percent_with_interval(mean, low, high)
        rows.append([Entry(setting(point["x"])), Entry(figure, mark), Entry(str(point["seeds"]))])
        points.append(
            CurvePoint(
                series=curve["key"],
                x=point["x"] if type(point["x"]) in (int, float) else setting(point["x"]),
                y=100 * mean,
                tip=f"{curve['key']} {setting(point['x'])}: {figure}",
                low=None if low is None else 100 * low,
                high=None if high is None else 100 * high,
            )
        )
    fixed = f"with {_settings(curve['fixed'])}" if curve["fixed"] else "the best found at each value"
    name = f"{found['metric']} against {curve['key']}, {fixed}"
    columns = [Column(curve["key"]), Column(f"validation {found['metric']} [95 % CI]"), Column("seeds")]
    chart = Chart(name, lambda width: curves(points, width, curve["key"], _axis(found)))
    return Figure(name, [chart], Table(name, columns, rows, [OF_CURVES]))


def _contour(found: Tuning, contour: Contour) -> Figure:
    x_key, y_key = contour["x_key"], contour["y_key"]
    xs, ys = ([setting(value) for value in contour[side]] for side in ("x", "y"))
    squares = [
        Square(x, y, 100 * value, percent(value), f"{x_key} {x}, {y_key} {y}: {percent(value)}")
        for y, line in zip(ys, contour["z"], strict=True)
        for x, value in zip(xs, line, strict=True)
        if value is not None
    ]
    axes, name = Axes(x_key, y_key, xs, ys[::-1]), f"{found['metric']} by {x_key} and {y_key}"
    marks = iter(mark_best([value for line in contour["z"] for value in line]))
    rows = [
        [Entry(y), *(Entry(percent(value), next(marks)) for value in line)]
        for y, line in zip(ys, contour["z"], strict=True)
    ]
    note = f"Columns: {x_key}; validation {found['metric']} in percent, blank where nothing was tried."
    table = Table(name, [Column(y_key), *map(Column, xs)], rows, [note])
    return Figure(name, [Chart(name, lambda width: grid(squares, width, axes))], table, [note])


def _importance(found: Tuning) -> Figure:
    ordered = sorted(found["importance"].items(), key=lambda entry: -entry[1])
    drawn = [Bar(key, value, f"{key}: {percent(value)} %") for key, value in ordered]
    name = f"Which setting moves {found['metric']} most"
    rows = [[key, f"{percent(value)} %"] for key, value in ordered]
    table = Table.of_texts(name, ["setting", "importance"], rows, [OF_IMPORTANCE])
    return Figure(name, [Chart(name, lambda width: bars(drawn, width, "share of importance"))], table)


def trials_figure(found: Tuning) -> Figure:
    """All trials of a search, by number, with their values and training time."""
    keys, seeds = list(found["space"]), [str(seed) for seed in found["seeds"]]
    marks = mark_best([trial["value"] for trial in found["trials"]])
    points, rows = [], []
    for trial, mark in zip(found["trials"], marks, strict=True):
        if trial["value"] is not None:
            points.append(CurvePoint(trial["state"], trial["number"], 100 * trial["value"], _tip(trial)))
        params = [setting(trial["params"][key]) if key in trial["params"] else BLANK for key in keys]
        by_seed = [percent(trial["values"].get(seed)) for seed in seeds]
        rows.append(
            [
                Entry(str(trial["number"])), Entry(trial["state"]), *map(Entry, params),
                Entry(percent(trial["value"]), mark), *map(Entry, by_seed), Entry(count(trial["epochs"])),
                Entry(duration(trial["seconds"]), order=trial["seconds"]),
            ]
        )  # fmt: skip
    name = f"Trials by number: validation {found['metric']}"
    heads = [
        *keys,
        f"validation {found['metric']}",
        *(f"seed {seed}" for seed in seeds),
        "epochs",
        "training",
    ]
    columns = [Column("trial"), Column("state", "left"), *map(Column, heads)]
    chart = Chart(name, lambda width: curves(points, width, "trial", _axis(found)))
    return Figure(name, [chart] if points else [], Table(name, columns, rows))


def _tip(trial: Trial) -> str:
    settings = _settings(trial["params"])
    return f"trial {trial['number']} ({trial['state']}): {settings}, {percent(trial['value'])}"


STUDY = Study(
    title="Tuning (Fig. 4)",
    command="grasp-bench tune",
    schema=Tuning,
    document=lay_out_tuning,
    summary=summary_of,
)
