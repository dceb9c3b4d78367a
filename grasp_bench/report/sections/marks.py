"""Signs beside a method's name: rows that have values and no place."""

from __future__ import annotations

from collections.abc import Sequence

from grasp_bench.report.schema import Row

LEAK_MARK = "†"
CONTROL_MARK = "°"
CONTROL_NOTE = f"{CONTROL_MARK} control: shows what a figure is worth; has no place and is never the best."


def label_of(row: Row) -> str:
    """The method's name, with a dagger when its text was made from held-out items, a ring for controls."""
    marks = (LEAK_MARK if row["leaks"] else "") + (CONTROL_MARK if row["kind"] == "control" else "")
    return f"{row['label']} {marks}" if marks else row["label"]


def has_place(row: Row) -> bool:
    """True for what may be ranked, and be the best."""
    return not row["leaks"] and row["kind"] != "control"


def mark_notes(rows: Sequence[Row]) -> list[str]:
    """What the signs mean; nothing when there are none."""
    notes = []
    if any(row["kind"] == "control" for row in rows):
        notes.append(CONTROL_NOTE)
    if sources := sorted({source for row in rows for source in row["leaks"]}):
        listed = ", ".join(sources)
        notes.append(f"{LEAK_MARK} leaks: made from held-out items ({listed}); has no place in the ranking.")
    return notes
