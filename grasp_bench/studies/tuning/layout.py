"""A search as a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grasp_bench.report.document import BLANK, Column, Document, Entry, Section, Table, mark_best
from grasp_bench.report.findings.tuning import OF_CURVES, Contour, Curve, Trial, Tuning
from grasp_bench.report.numbers import count, duration, percent, percent_with_interval, setting
from grasp_bench.studies.wording import share, table


def lay_out_tuning(found: Tuning) -> Document:
    """The best first, then what matters, the curves, and all trials."""
    ranking = "the whole catalogue" if found["protocol"] == "full" else "sampled negatives"
    lines = [
        f"{found['dataset']}, validation {found['metric']} in percent, ranking {ranking}, seeds "
        f"{', '.join(map(str, found['seeds']))}, sampler {found['sampler']}, study {found['study']}."
    ]
    sections = [Section("Best", lines=_best(found))]
    if found["importance"]:
        rows = [[key, share(value)] for key, value in found["importance"].items()]
        told = "Of what keys explain alone (fANOVA, Hutter et al. 2014); of few trials, a hint."
        sections.append(Section("Importance", [table("", ["key", "share"], rows, [told])]))
    if found["curves"]:
        sections.append(Section("Curves", [_curve(each, found["metric"]) for each in found["curves"]]))
    whole = [each for each in found["contours"] if min(len(each["x"]), len(each["y"])) > 1]
    if whole:
        sections.append(Section("Two keys at once", [_contour(each) for each in whole]))
    sections += [Section("Trials", [_trials(found)], folded=True), Section("Notes", lines=found["notes"])]
    return Document(f"Tuning: {found['spec']}", lines, sections)


def _best(found: Tuning) -> list[str]:
    best = found["best"]
    if best is None:
        return ["No trial is complete."]
    seeds = ", ".join(f"{percent(value)} (seed {seed})" for seed, value in best["values"].items())
    return [
        f"Trial {best['number']}: {', '.join(f'{key} {setting(v)}' for key, v in best['params'].items())}.",
        f"{found['metric']} {percent(best['value'])} on validation: {seeds}. The best of "
        f"{len(_complete(found))} is the higher for having been chosen.",
    ]


def _complete(found: Tuning) -> list[Trial]:
    return [trial for trial in found["trials"] if trial["state"] == "complete"]


def _curve(curve: Curve, metric: str) -> Table:
    marks = mark_best([point["mean"] for point in curve["points"]])
    rows = [
        [
            Entry(setting(point["x"])),
            Entry(percent_with_interval(point["mean"], point["low"], point["high"]), mark),
        ]
        for point, mark in zip(curve["points"], marks, strict=True)
    ]
    fixed = ", ".join(f"{key} {setting(value)}" for key, value in curve["fixed"].items())
    at = f" at {fixed}" if fixed else " (the best found at each value)"
    return Table(f"{curve['key']}{at}", [Column("value", "left"), Column(metric)], rows, [OF_CURVES])


def _contour(contour: Contour) -> Table:
    marks = mark_best([value for row in contour["z"] for value in row])
    width = len(contour["x"])
    rows = [
        [Entry(setting(y)), *(Entry(percent(z), marks[j * width + i]) for i, z in enumerate(contour["z"][j]))]
        for j, y in enumerate(contour["y"])
    ]
    columns = [Column(contour["y_key"], "left"), *(Column(setting(x)) for x in contour["x"])]
    return Table(f"{contour['y_key']} by {contour['x_key']}", columns, rows)


def _trials(found: Tuning) -> Table:
    marks = mark_best([trial["value"] for trial in found["trials"]])
    keys, seeds = list(found["space"]), [str(seed) for seed in found["seeds"]]
    rows = [
        [
            Entry(str(trial["number"])),
            *(Entry(_value(trial["params"], key)) for key in keys),
            Entry(trial["state"]),
            Entry(percent(trial["value"]), mark),
            *(Entry(percent(trial["values"].get(seed))) for seed in seeds),
            Entry(count(trial["epochs"])),
            Entry(duration(trial["seconds"])),
        ]
        for trial, mark in zip(found["trials"], marks, strict=True)
    ]
    heads = [*keys, "state", found["metric"], *(f"seed {seed}" for seed in seeds), "epochs", "training"]
    return Table("", [Column("trial", "left"), *(Column(head) for head in heads)], rows)


def _value(params: Mapping[str, Any], key: str) -> str:
    return setting(params[key]) if key in params else BLANK
