"""How far two sets of vectors of the same texts agree on who is near whom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from grasp_bench.core.errors import GraspBenchError

NEIGHBOURS = 10
SAMPLE = 1000
BLOCK_ROWS = 1024


def neighbour_overlap(first: np.ndarray, second: np.ndarray, count: int = NEIGHBOURS) -> float:
    """Mean share of the `count` nearest by cosine that each row of (n, D) has in both; 1 when all agree.

    With `count` or fewer other rows all are neighbours. Raises GraspBenchError for fewer than two rows.
    """
    rows = len(first)
    if rows < 2:
        raise GraspBenchError("neighbours of a single text: there are none")
    count = min(count, rows - 1)
    shared = 0
    units = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (first, second)]
    for start in range(0, rows, BLOCK_ROWS):
        near_a, near_b = (_nearest(unit, start, count) for unit in units)
        shared += int((near_a[:, :, None] == near_b[:, None, :]).sum())
    return shared / (rows * count)


def _nearest(unit: np.ndarray, start: int, count: int) -> np.ndarray:
    """Rows (block, count) nearest to those from `start` on, themselves left out."""
    similarities = unit[start : start + BLOCK_ROWS] @ unit.T
    block = np.arange(len(similarities))
    similarities[block, start + block] = -np.inf
    return np.argpartition(-similarities, count - 1, axis=1)[:, :count]


def sampled_overlap(
    texts: Sequence[str], vectors: np.ndarray, encode: Callable[[Sequence[str]], np.ndarray]
) -> dict[str, Any]:
    """Overlap of the neighbours by `vectors` (n, D) and by what `encode` makes of a sample of the texts.

    The sample is of distinct texts and depends on nothing but the texts: reruns report the same.
    """
    row_of = {text: row for row, text in enumerate(texts)}
    distinct = sorted(row_of)
    if len(distinct) > SAMPLE:
        chosen = np.random.default_rng(0).choice(len(distinct), size=SAMPLE, replace=False)
        distinct = [distinct[k] for k in np.sort(chosen)]
    if len(distinct) < 2:
        return {}
    overlap = neighbour_overlap(vectors[[row_of[text] for text in distinct]], encode(distinct))
    return {
        "neighbour_overlap": {
            "with": "float32",
            "k": NEIGHBOURS,
            "texts": len(distinct),
            "share": round(overlap, 4),
        }
    }
