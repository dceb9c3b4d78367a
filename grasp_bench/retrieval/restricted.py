"""Search within groups: neighbours come from the same group only (a category, a tenant)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from grasp_bench.retrieval.neighbours import Neighbours, Progress, SearchSettings, no_progress
from grasp_bench.retrieval.ordering import NOBODY
from grasp_bench.retrieval.registry import SEARCHERS, resolve_kind

UNGROUPED = -1


def group_codes(values: Sequence[str | None]) -> np.ndarray:
    """Number the groups by first appearance, (n,) int64; None and blank belong to no group (-1)."""
    numbers: dict[str, int] = {}
    codes = np.full(len(values), UNGROUPED, dtype=np.int64)
    for row, value in enumerate(values):
        if value is not None and value.strip():
            codes[row] = numbers.setdefault(value, len(numbers))
    return codes


def search_within_groups(
    kind: str,
    settings: SearchSettings,
    units: np.ndarray,
    codes: np.ndarray,
    progress: Progress = no_progress,
) -> Neighbours:
    """Neighbours from the same group; an entity without a group, or alone in it, has none.

    Each group is searched by what `kind` means at its size. Rows of groups smaller than N + 1 end
    in -1.
    """
    found = Neighbours.nobody(len(units), settings.num_neighbours)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=codes[order[0]] - 1))
    done = 0
    for members in np.split(order, starts[1:]):
        done += len(members)
        if codes[members[0]] != UNGROUPED and len(members) > 1:
            searcher = SEARCHERS.get(resolve_kind(kind, len(members)))(settings)
            # Members ascend, so the order of ties by number carries over.
            within = searcher.search(units[members])
            known = within.indices != NOBODY
            found.indices[members] = np.where(known, members[within.indices], NOBODY)
            found.similarities[members] = within.similarities
        progress(done)
    return found
