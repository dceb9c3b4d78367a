"""Hypotheses about methods that collapsed: refused before anything is computed.

A collapsed method has no row on the board, so its hypothesis could never be tested, and would still
count in the family that Holm corrects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grasp_bench.core.errors import SpecError
from grasp_bench.plan.cells import Cell
from grasp_bench.plan.collapse import Request
from grasp_bench.spec.experiment import Experiment


def check_hypotheses(
    experiment: Experiment, cells: Sequence[Cell], groups: Mapping[str, Sequence[Request]]
) -> None:
    """Raise SpecError for names that no row will have, because of what collapsed.

    `groups` maps the hash of each cell to the requests that came to it.
    """
    rows: dict[str, list[Cell]] = {}
    collapsed: dict[str, str] = {}
    for cell in cells:
        for name in _names(cell):
            rows.setdefault(name, []).append(cell)
        for request in groups[cell.hash]:
            collapsed |= zip(_names(request), _names(cell), strict=True)
    problems = []
    for index, hypothesis in enumerate(experiment.hypotheses):
        for side, given in (("better", hypothesis.better), ("than", hypothesis.than)):
            wrong = _what_is_wrong(given, rows, collapsed)
            if wrong:
                problems.append(f"hypotheses[{index}].{side}: '{given}' {wrong}")
    if problems:
        raise SpecError(problems)


def _what_is_wrong(
    given: str, rows: Mapping[str, Sequence[Cell]], collapsed: Mapping[str, str]
) -> str | None:
    """`given` may end as a label on a board does: `grasp (num_neighbours=5)`."""
    name, details, _ = given.partition(" (")
    if name not in rows:
        same = collapsed.get(name)
        return same and f"has no row of its own: it computes the same as '{same}'; name that"
    if details and not any(cell.variant for cell in rows[name]):
        return f"has no row of its own: what is compared makes no difference to '{name}'; name that"
    return None


def _names(row: Cell | Request) -> tuple[str, str]:
    """What a hypothesis may call it: without and with the backbone."""
    if row.name is not None:
        return row.name, row.name
    model = row.experiment.model
    short = f"{model.enhancer}/{row.ablation}" if row.ablation else model.enhancer
    return short, f"{model.backbone}+{short}"
