"""What a search of settings found: the curves of the paper's Fig. 4, the grid of both keys, all trials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from grasp_bench.report.document import BLANK, Column, Entry, Table
from grasp_bench.report.findings.tuning import OF_CURVES, Contour, Curve, Trial, Tuning
from grasp_bench.report.numbers import count, duration, percent, percent_with_interval, plain, setting
from grasp_bench.report.page.charts.bars import Bar, bars
from grasp_bench.report.page.charts.curves import CurvePoint, curves
from grasp_bench.report.page.charts.drawing import draw
from grasp_bench.report.page.charts.grid import Axes, Square, grid
from grasp_bench.report.page.material import PageMaterial
from grasp_bench.report.page.parts import Figure, Folded, PageSection, Part, Prose


def tuning_section(material: PageMaterial) -> PageSection | None:
    """Curves, grids, importance and trials; None where nothing was tuned."""
    found = material.studies.tuning
    if found is None:
        return None
    parts: list[Part] = [Prose(list(_lines(found)), listed=True)]
    parts += [_curve(found, curve) for curve in found["curves"] if curve["points"]]
    parts += [_contour(found, contour) for contour in found["contours"] if contour["x"] and contour["y"]]
    if found["importance"]:
        parts.append(_importance(found))
    if found["trials"]:
        parts.append(_trials(found))
    return PageSection("tuning", "Tuning (Fig. 4)", parts)


def _lines(found: Tuning) -> Iterator[str]:
    space = ", ".join(f"{key} in {setting(values)}" for key, values in found["space"].items())
    seeds = ", ".join(map(str, found["seeds"]))
    yield (
        f"Validation alone ({found['metric']}, {found['protocol']} ranking of {found['dataset']}), "
        f"sampler {found['sampler']}, seeds {seeds}: no test item was looked at."
    )
    yield f"Space: {space}."
    best = found["best"]
    if best is not None:
        yield f"Best: {_settings(best['params'])}, {percent(best['value'])} % (trial {best['number']})."
    yield from found["notes"]


def _settings(params: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {setting(value)}" for key, value in params.items())


def _curve(found: Tuning, curve: Curve) -> Figure:
    axis = f"validation {found['metric']}, percent"
    points = [
        CurvePoint(
            series=curve["key"],
            x=point["x"] if type(point["x"]) in (int, float) else setting(point["x"]),
            y=100 * point["mean"],
            tip=f"{curve['key']} {setting(point['x'])}: "
            f"{percent_with_interval(point['mean'], point['low'], point['high'])}",
            low=None if point["low"] is None else 100 * point["low"],
            high=None if point["high"] is None else 100 * point["high"],
        )
        for point in curve["points"]
    ]
    fixed = f"with {_settings(curve['fixed'])}" if curve["fixed"] else "the best found at each value"
    name = f"{found['metric']} against {curve['key']}, {fixed}"
    picture = draw(name, lambda width: curves(points, width, curve["key"], axis))
    columns = [Column(curve["key"]), Column(f"validation {found['metric']} [95 % CI]"), Column("seeds")]
    rows = [
        [Entry(setting(point["x"])), Entry(percent_with_interval(point["mean"], point["low"], point["high"])),
         Entry(str(point["seeds"]))]
        for point in curve["points"]
    ]  # fmt: skip
    return Figure(name, [picture], Table(name, columns, rows), [OF_CURVES])


def _contour(found: Tuning, contour: Contour) -> Figure:
    squares = [
        Square(
            setting(x), setting(y), 100 * value, percent(value),
            f"{contour['x_key']} {setting(x)}, {contour['y_key']} {setting(y)}: {percent(value)}",
        )
        for y, line in zip(contour["y"], contour["z"], strict=True)
        for x, value in zip(contour["x"], line, strict=True)
        if value is not None
    ]  # fmt: skip
    xs, ys = ([setting(value) for value in contour[side]] for side in ("x", "y"))
    axes = Axes(contour["x_key"], contour["y_key"], xs, ys[::-1])
    name = f"{found['metric']} by {contour['x_key']} and {contour['y_key']}"
    picture = draw(name, lambda width: grid(squares, width, axes))
    columns = [Column(contour["y_key"]), *(Column(x) for x in xs)]
    rows = [
        [Entry(y), *(Entry(percent(value)) for value in line)]
        for y, line in zip(ys, contour["z"], strict=True)
    ]
    measure = f"validation {found['metric']} in percent"
    note = f"Columns: {contour['x_key']}; {measure}, blank where nothing was tried."
    return Figure(name, [picture], Table(name, columns, rows, [note]), [note])


def _importance(found: Tuning) -> Figure:
    ordered = sorted(found["importance"].items(), key=lambda entry: -entry[1])
    rows = [Bar(key, value, f"{key}: {plain(value)}") for key, value in ordered]
    name = f"Which setting moves {found['metric']} most"
    picture = draw(name, lambda width: bars(rows, width, "share of importance"))
    entries = [[Entry(key), Entry(plain(value))] for key, value in ordered]
    return Figure(name, [picture], Table(name, [Column("setting", "left"), Column("importance")], entries))


def _trials(found: Tuning) -> Folded:
    keys = list(found["space"])
    points = [
        CurvePoint(trial["state"], trial["number"], 100 * trial["value"], _tip(trial))
        for trial in found["trials"]
        if trial["value"] is not None
    ]
    name = f"Trials by number: validation {found['metric']}"
    columns = [
        Column("trial"), Column("state", "left"), *(Column(key) for key in keys),
        Column(f"validation {found['metric']}"), Column("seeds"), Column("epochs"), Column("time"),
    ]  # fmt: skip
    entries = [
        [Entry(str(trial["number"])), Entry(trial["state"]),
         *(Entry(setting(trial["params"].get(key, BLANK))) for key in keys), Entry(percent(trial["value"])),
         Entry(str(len(trial["values"]))), Entry(count(trial["epochs"])),
         Entry(duration(trial["seconds"]), order=trial["seconds"])]
        for trial in found["trials"]
    ]  # fmt: skip
    table = Table(name, columns, entries)
    if not points:
        return Folded("All trials", [table])
    axis = f"validation {found['metric']}, percent"
    picture = draw(name, lambda width: curves(points, width, "trial", axis))
    return Folded("All trials", [Figure(name, [picture], table)])


def _tip(trial: Trial) -> str:
    return (
        f"trial {trial['number']} ({trial['state']}): {_settings(trial['params'])}, {percent(trial['value'])}"
    )
