"""Say before a run which differences the seeds of a spec can show, by earlier results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from grasp_bench.report.cells import cell_folders

if TYPE_CHECKING:
    from grasp_bench.report.claims import Hypothesis
    from grasp_bench.stats.power import Outlook

MOST_PAIRS = 3  # the command tells all of them


def seeds_preview(folder: Path, hypotheses: Sequence[Hypothesis], seeds: int) -> list[str]:
    """Say what so many seeds can show of the hypotheses' pairs, by the results in `folder`.

    Empty where there are no results, or no method was trained twice. Raises DataError for damaged results.
    """
    if not hypotheses or seeds < 2 or not folder.is_dir() or not cell_folders(folder):
        return []
    from grasp_bench.report.comparable_cells import read_results
    from grasp_bench.report.user_values import UserValues
    from grasp_bench.stats.power import POWER, Outlook
    from grasp_bench.studies.power.layout import power_text
    from grasp_bench.studies.power.seeds_needed import PowerOptions, declared_pairs, pair_of

    stored, values, lines, more = read_results(folder), UserValues(), list[str](), 0
    for pair in declared_pairs(hypotheses, stored, PowerOptions()):
        outlook = Outlook.of(*pair_of(pair, values)) if pair.home else None
        if outlook is None or not outlook.trained:
            continue
        if len(lines) == MOST_PAIRS:
            more += 1
            continue
        name = " > ".join(stored.labels[method] for method in pair.methods)
        lines.append(f"  {name} ({pair.metric}, {pair.protocol}): {_preview(outlook, seeds)}")
    if not lines:
        return []
    rest = [f"  and {more} more: grasp-bench power {folder.name}"] if more else []
    return [f"what seeds can tell, with {power_text(POWER)} by the results in {folder}:", *lines, *rest]


def _preview(outlook: Outlook, seeds: int) -> str:
    """Say what these seeds can show, and what the next smaller difference would take."""
    from grasp_bench.report.claims import POINT
    from grasp_bench.stats.power import POWER
    from grasp_bench.studies.power.layout import need_text
    from grasp_bench.studies.power.seeds_needed import POINTS, need

    least = POINT * outlook.least([seeds] * len(outlook.trained))
    told = f"{seeds} seeds tell {least:.2f} points"
    smaller = [points for points in POINTS if points < round(least, 2)]
    if not smaller:
        return told
    return f"{told}; {smaller[-1]:g} would take {need_text(need(outlook, smaller[-1], POWER))}"
