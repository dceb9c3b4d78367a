"""Which seeds two methods are compared on: those that both have, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from grasp_bench.report.cells import ResultCell

Cells = Sequence[ResultCell]


def on_shared_seeds(first: Cells, second: Cells) -> tuple[Cells, Cells]:
    """The cells of the seeds that both sides have; both empty when there is none.

    What nothing has trained and has one cell (a control, an imported run) is the same for every seed, so
    it meets all seeds of the other side.
    """
    if _for_every_seed(first) or _for_every_seed(second):
        return first, second
    shared = {cell.seed for cell in first} & {cell.seed for cell in second}
    return (
        [cell for cell in first if cell.seed in shared],
        [cell for cell in second if cell.seed in shared],
    )


def seeds_of_pair(first: Cells, second: Cells) -> list[int]:
    """The seeds behind a comparison of these cells."""
    sides = [cells for cells in (first, second) if not _for_every_seed(cells)] or [first]
    return sorted({cell.seed for cells in sides for cell in cells if cell.seed is not None})


def _for_every_seed(cells: Cells) -> bool:
    return len(cells) == 1 and not cells[0].trained
