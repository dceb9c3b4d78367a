"""Turn scores into ranked lists in the order of trec_eval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from grasp_bench.evaluation.ranker import Ranker, Scorer

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Listed:
    """One query's list: items and scores, best first, and counts of candidates better than and tied with the
    target.

    `cut_in_tie`: the list ends among candidates that tie with the target, so the target may be missing though
    another order of ties would include it.
    """

    query: int
    items: Ints
    scores: NDArray[np.floating]
    better: int
    tied: int
    cut_in_tie: bool


def tie_order(ids: Sequence[str]) -> Ints:
    """Position of each item among equal scores in trec_eval's order: by id, descending by bytes."""
    order = sorted(range(len(ids)), key=lambda item: ids[item].encode(), reverse=True)
    places = np.empty(len(ids), dtype=np.int64)
    places[order] = np.arange(len(ids))
    return places


def sampled_lists(
    ranker: Ranker, scorer: Scorer, places: Ints, depth: int | None, *, from_catalogue: bool
) -> Iterator[Listed]:
    """Yield the first `depth` (None: all) of target and stored negatives, query by query.

    `from_catalogue` takes the scores from a scoring of the whole catalogue, as the ranks were made if the
    full ranking was stored too: rounding may differ between the two ways.
    """
    queries = ranker.queries
    chunks: Iterator[tuple[slice, Tensor]]
    if from_catalogue:
        chunks = ((rows, among) for rows, among, _ in ranker.catalogue_scores(scorer, False))
    else:
        chunks = ranker.candidate_scores(scorer)
    for rows, scores_BC in chunks:
        targets, negatives = queries.targets_Q[rows].cpu().numpy(), queries.negatives_QK[rows].cpu().numpy()
        items_BC = np.concatenate([targets[:, None], negatives], axis=1)
        for row, (items, scores) in enumerate(zip(items_BC, scores_BC.cpu().numpy(), strict=True)):
            yield _listed(rows.start + row, items, scores, scores[0], places, depth)


def full_lists(
    ranker: Ranker, scorer: Scorer, places: Ints, depth: int, exclude_history: bool
) -> Iterator[Listed]:
    """Yield the first `depth` of the catalogue without hidden items, query by query."""
    for rows, _, scores_Bm in ranker.catalogue_scores(scorer, exclude_history):
        targets = ranker.queries.targets_Q[rows].cpu().numpy()
        for row, scores in enumerate(scores_Bm.cpu().numpy()):
            items = np.flatnonzero(scores > -np.inf)
            yield _listed(rows.start + row, items, scores[items], scores[targets[row]], places, depth)


def _listed(
    query: int, items: Ints, scores: NDArray[np.floating], target: np.floating, places: Ints,
    depth: int | None,
) -> Listed:  # fmt: skip
    better, tied = int((scores > target).sum()), int((scores == target).sum()) - 1
    length = len(items) if depth is None else min(depth, len(items))
    if length < len(items):  # items below the last listed score need not be sorted
        last = np.partition(scores, len(scores) - length)[len(scores) - length]
        kept = scores >= last
        items, scores = items[kept], scores[kept]
    order = np.lexsort((places[items], -scores))[:length]
    cut = better < length < better + tied + 1
    return Listed(query, items[order], scores[order], better, tied, cut)
