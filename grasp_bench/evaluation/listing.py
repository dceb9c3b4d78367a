"""Turn scores into ranked lists in the order of trec_eval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    ranker: Ranker, scorer: Scorer, places: Ints, depth: int | None, stored: tuple[Ints, Ints] | None = None
) -> Iterator[Listed]:
    """Yield the first `depth` (None: all) of target and stored negatives, query by query.

    `stored` are the counts `better` and `tied` of ranks that were made by scoring the whole catalogue. That
    may round otherwise than the candidates alone: queries that come out otherwise are scored in that way.
    """
    queries = ranker.queries
    for rows, scores in ranker.candidate_scores(scorer):
        scores_BC = scores.cpu().numpy()
        if stored is not None:
            _score_like(stored, ranker, scorer, rows, scores_BC)
        targets, negatives = queries.targets_Q[rows].cpu().numpy(), queries.negatives_QK[rows].cpu().numpy()
        items_BC = np.concatenate([targets[:, None], negatives], axis=1)
        better_B, tied_B = _counts(scores_BC)
        order_BC = np.lexsort((places[items_BC], -scores_BC))[:, :depth]
        length = order_BC.shape[1]
        cut_B = (better_B < length) & (length < better_B + tied_B + 1)
        ordered = (np.take_along_axis(each, order_BC, axis=1) for each in (items_BC, scores_BC))
        told = (each.tolist() for each in (better_B, tied_B, cut_B))
        for place, found in enumerate(zip(*ordered, *told, strict=True)):
            yield Listed(rows.start + place, *found)


def _score_like(
    stored: tuple[Ints, Ints], ranker: Ranker, scorer: Scorer, rows: slice, scores_BC: NDArray[np.floating]
) -> None:
    """Replace the scores of queries whose counts are not the stored ones by those of the catalogue."""
    differing = [found != known[rows] for found, known in zip(_counts(scores_BC), stored, strict=True)]
    unlike = rows.start + np.flatnonzero(differing[0] | differing[1])
    if not len(unlike):
        return
    for others, among_BC, _ in ranker.catalogue_scores(scorer, exclude_history=False, of=unlike):
        here = unlike[(unlike >= others.start) & (unlike < others.stop)]
        scores_BC[here - rows.start] = among_BC.cpu().numpy()[here - others.start]


def _counts(scores_BC: NDArray[np.floating]) -> tuple[Ints, Ints]:
    """Candidates above the target (column 0), and others that tie with it, (B,)."""
    target_B1 = scores_BC[:, :1]
    return (scores_BC > target_B1).sum(axis=1), (scores_BC == target_B1).sum(axis=1) - 1


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
