"""Labels of single texts: a CSV with the columns id, label and text, made by a person who read them.

The text stands beside its label, so that labels are never counted for a text that was written anew.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from grasp_bench.core.errors import DataError
from grasp_bench.core.files import require_file
from grasp_bench.core.words import did_you_mean
from grasp_bench.text.grounding import State

COLUMNS = ("id", "label", "text")
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Labels:
    """Labels and texts by entity id, and the line of the file that has each."""

    file: Path
    states: Mapping[str, State]
    texts: Mapping[str, str]
    lines: Mapping[str, int]

    def checked(self, texts: Mapping[str, str]) -> Mapping[str, State]:
        """Return the labels; DataError with file and line where the text labelled is not that of `texts`."""
        for id, text in self.texts.items():
            if id not in texts:
                raise DataError(
                    f"{self.file}:{self.lines[id]}: '{id}' has no text in this cell",
                    hint="name the cell and side that were labelled (--cell, --side)",
                )
            if " ".join(texts[id].split()) != " ".join(text.split()):
                raise DataError(
                    f"{self.file}:{self.lines[id]}: the text of '{id}' is another one in this cell",
                    hint="label the text that is there now, or name the cell that was labelled (--cell)",
                )
        return self.states


def read_labels(file: Path) -> Labels:
    """Read a file of labels; DataError names the line of a missing column, unknown label or repeated id."""
    require_file(file, hint="correct --labels")
    states, texts, lines = dict[str, State](), dict[str, str](), dict[str, int]()
    with file.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise DataError(
                f"{file}:1: no column {', '.join(missing)}", hint=f"the columns are {', '.join(COLUMNS)}"
            )
        for row in rows:
            id, label, line = row["id"], row["label"], rows.line_num
            known = next((state for state in STATES if state == label), None)
            if known is None:
                raise DataError(
                    f"{file}:{line}: unknown label '{label}'{did_you_mean(label, STATES)}",
                    hint=f"labels are {', '.join(STATES)}",
                )
            if id in states:
                raise DataError(f"{file}:{line}: '{id}' is labelled twice", hint="keep one of the two lines")
            states[id], texts[id], lines[id] = known, row["text"], line
    return Labels(file, states, texts, lines)
