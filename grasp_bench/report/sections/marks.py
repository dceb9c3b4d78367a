"""Signs beside a method's name: where its row is from, and whether it has a place."""

from __future__ import annotations

from collections.abc import Sequence

from grasp_bench.report.schema import Marked

LEAK_MARK = "†"
CONTROL_MARK = "°"
IMPORTED_MARK = "‡"
SUBSTITUTED_MARK = "§"
MARK_OF_KIND = {"control": CONTROL_MARK, "imported": IMPORTED_MARK}
CONTROL_NOTE = f"{CONTROL_MARK} control: shows what a figure is worth; has no place and is never the best."
IMPORTED_NOTE = f"{IMPORTED_MARK} imported: ranked by the scores of somebody else's run."


def label_of(row: Marked) -> str:
    """The method's name and its signs: leaks, substituted texts, controls, imported runs."""
    marks = LEAK_MARK if row["leaks"] else ""
    marks += (SUBSTITUTED_MARK if row["substituted"] else "") + MARK_OF_KIND.get(row["kind"], "")
    return f"{row['label']} {marks}" if marks else row["label"]


def has_place(row: Marked) -> bool:
    """True for what may be ranked, and be the best."""
    return not row["leaks"] and row["kind"] != "control"


def mark_notes(rows: Sequence[Marked]) -> list[str]:
    """What the signs mean; nothing when there are none."""
    notes = []
    if any(row["kind"] == "control" for row in rows):
        notes.append(CONTROL_NOTE)
    if any(row["kind"] == "imported" for row in rows):
        notes.append(IMPORTED_NOTE)
    if sources := sorted({source for row in rows for source in row["leaks"]}):
        listed = ", ".join(sources)
        notes.append(f"{LEAK_MARK} leaks: made from held-out items ({listed}); has no place in the ranking.")
    lines: dict[str, list[str]] = {}
    for row in rows:
        for line in row["substituted"]:
            lines.setdefault(line, []).append(row["label"])
    notes += [f"{SUBSTITUTED_MARK} {line} ({', '.join(labels)})." for line, labels in lines.items()]
    return notes
