"""Show equal searches of all methods: budgets, gains over own settings, best value against trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import Literal

from grasp_bench.report.charts.curves import CurvePoint, curves
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
from grasp_bench.report.formatting import duration, percent, points, setting
from grasp_bench.report.studies import Study
from grasp_bench.studies.tuning.methods_schema import MethodSearch, MethodTuning
from grasp_bench.studies.tuning.report import trials_figure

STATES: tuple[Literal["complete", "pruned", "failed"], ...] = ("complete", "pruned", "failed")
OF_EXPECTED = (
    "Expected best of n trials drawn from those made (Dodge et al. 2019). It holds for random search; tpe "
    "and gp learn from earlier trials."
)


def lay_out_method_tuning(found: MethodTuning) -> Document:
    """Arrange the table of methods, the curves of their searches, and all trials (folded)."""
    lines = [
        f"Validation alone ({found['metric']}, {found['protocol']} ranking of {found['dataset']}): "
        f"{found['trials']} trials of each method, sampler {found['sampler']}, seeds "
        f"{', '.join(map(str, found['seeds']))}."
    ]
    sections = [Section("Methods", [_methods(found)]), Section("Best value against trials", [_curves(found)])]
    sections += [
        Section(f"Trials of {each['method']}", [trials_figure(each["tuning"])], folded=True)
        for each in found["methods"]
        if each["tuning"]["trials"]
    ]
    return Document(
        f"Tuning of methods: {found['spec']}", lines, [*sections, Section("Notes", lines=found["notes"])]
    )


def summary_of(found: MethodTuning) -> Iterator[str]:
    """The budget and the method with the best validation value, for the head of a page."""
    known = [each for each in found["methods"] if each["tuning"]["best"]]
    if known:
        best = max(known, key=lambda each: _best(each) or 0.0)
        yield (
            f"Each of {len(found['methods'])} methods was tuned by {found['trials']} trials; the best "
            f"validation {found['metric']} has {best['method']} ({percent(_best(best))} %)."
        )


def _best(search: MethodSearch) -> float | None:
    best = search["tuning"]["best"]
    return None if best is None else best["value"]


def _gain(search: MethodSearch) -> str:
    best, own = _best(search), search["default"]
    return BLANK if best is None or own is None else points(best - own)


def _methods(found: MethodTuning) -> Table:
    marks = mark_best([_best(each) for each in found["methods"]])
    rows = []
    for each, mark in zip(found["methods"], marks, strict=True):
        trials, best = each["tuning"]["trials"], each["tuning"]["best"]
        counts = Counter(trial["state"] for trial in trials)
        params = best["params"].items() if best else ()
        values = ", ".join(f"{key} {setting(value)}" for key, value in params) or BLANK
        rows.append(
            [
                Entry(each["method"]), Entry(" / ".join(str(counts[state]) for state in STATES)),
                Entry(duration(each["seconds"]), order=each["seconds"]), Entry(percent(each["default"])),
                Entry(percent(_best(each)), mark), Entry(_gain(each)), Entry(values),
            ]
        )  # fmt: skip
    columns = [
        Column("method"), Column("complete / pruned / failed"), Column("training"), Column("own settings"),
        Column(f"best {found['metric']}"), Column("gain"), Column("best settings", "left"),
    ]  # fmt: skip
    note = "Figures are of validation, in percent. The best of several trials is higher by the choice itself."
    return Table("Search of each method", columns, rows, [note])


def _curves(found: MethodTuning) -> Figure:
    drawn, rows = [], []
    for each in found["methods"]:
        values = [trial["value"] or 0.0 for trial in each["tuning"]["trials"]]
        for n, expected in enumerate(each["expected_best"], start=1):
            tip = f"{each['method']}, {n} trials: {percent(expected)}"
            drawn.append(CurvePoint(each["method"], n, 100 * expected, tip))
        seen = [percent(value) for value in accumulate(values, max)]
        rows += [
            [each["method"], str(n), percent(expected), seen[n - 1]]
            for n, expected in enumerate(each["expected_best"], start=1)
        ]
    name = f"Best validation {found['metric']} against trials"
    heads = ["method", "trials", "expected best", "best in the order of the search"]
    table = Table.of_texts(name, heads, rows, [OF_EXPECTED])
    axis = f"expected best validation {found['metric']}, percent"
    return Figure(
        name, [Chart(name, lambda width: curves(drawn, width, "trials", axis))] if drawn else [], table
    )


STUDY = Study(
    title="Tuning of methods",
    command="grasp-bench tune",
    schema=MethodTuning,
    document=lay_out_method_tuning,
    summary=summary_of,
)
