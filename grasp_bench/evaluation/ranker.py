"""Rank targets among stored candidates and in the whole catalogue, in one pass of bounded memory.

Shape suffixes: Q queries in all, B in a chunk, K negatives, m items, d backbone width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grasp_bench.core.errors import DataError, TrainingError
from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.generative.base import WholeModel
from grasp_bench.models.layout import gather_sequences

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Queries:
    """Tensors on one device.

    Attributes:
        users_Q, targets_Q: int64; one held-out item per evaluated user.
        negatives_QK: int64; the stored candidates beside the target.
        items_flat: int64; known items of all users, user after user, in order.
        offsets: int64 (n + 1); user u's items are `items_flat[offsets[u]:offsets[u + 1]]`.
        readers_flat: int64; the profile that reads each item; None: the user's final one.
    """

    users_Q: Tensor
    targets_Q: Tensor
    negatives_QK: Tensor
    items_flat: Tensor
    offsets: Tensor
    readers_flat: Tensor | None = None

    def __post_init__(self) -> None:
        if not len(self.users_Q) == len(self.targets_Q) == len(self.negatives_QK):
            raise DataError(
                f"{len(self.users_Q)} users, {len(self.targets_Q)} targets and "
                f"{len(self.negatives_QK)} rows of candidates do not fit together",
                hint="run again: the candidates belong to another split",
            )
        lengths = self.offsets[self.users_Q + 1] - self.offsets[self.users_Q]
        if len(lengths) and int(lengths.min()) < 1:
            user = int(self.users_Q[lengths.argmin()])
            raise DataError(f"user number {user} has a target but no history to predict it from")

    def __len__(self) -> int:
        return len(self.users_Q)

    def redrawn(self, count: int, draws: torch.Generator) -> Queries:
        """Draw `count` of each query's negatives, without replacement."""
        keys_QK = torch.rand(self.negatives_QK.shape, generator=draws, device=self.negatives_QK.device)
        return replace(self, negatives_QK=self.negatives_QK.gather(1, keys_QK.topk(count, dim=1).indices))


def append_items(items_flat: Tensor, offsets: Tensor, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
    """Append items to the sequences of users, in the order given: new flat items and offsets.

    A user may occur several times. Test histories are the training part plus the items before the test
    target.
    """
    num_users = len(offsets) - 1
    owners = torch.arange(num_users, device=offsets.device).repeat_interleave(offsets.diff())
    # A stable sort keeps a user's old items before the new ones.
    owners, order = torch.cat([owners, users]).sort(stable=True)
    lengths = torch.bincount(owners, minlength=num_users)
    return torch.cat([items_flat, items])[order], torch.cat([offsets[:1], lengths.cumsum(0)])


def hidden_pairs(queries: Queries, num_items: int, exclude_history: bool) -> Ints:
    """Known pairs user · m + item that are not candidates, ascending; a target is always a candidate."""
    if not exclude_history:
        return np.empty(0, dtype=np.int64)
    users = torch.repeat_interleave(torch.arange(len(queries.offsets) - 1), queries.offsets.diff().cpu())
    targets = queries.users_Q.cpu() * num_items + queries.targets_Q.cpu()
    return np.setdiff1d((users * num_items + queries.items_flat.cpu()).numpy(), targets.numpy())


def pool_sizes(queries: Queries, num_items: int, hidden: Ints) -> Ints:
    """Number of items that each target is ranked among in full ranking, itself included, (Q,)."""
    per_user = np.bincount(hidden // num_items, minlength=len(queries.offsets) - 1)
    return np.asarray(num_items - per_user[queries.users_Q.cpu().numpy()])


# Floats per (user, item) of a chunk at the peak of the largest scorer (scores, two dot products, three
# logits, three weights, and temporaries of the same size).
FLOATS_PER_PAIR = 16
LARGEST_CHUNK = 512


@dataclass(frozen=True)
class Ranks:
    """Counts per query, int64 (Q,): candidates that score above the target, and others that tie with it."""

    better: Tensor
    tied: Tensor


@dataclass(frozen=True)
class FullRanking:
    """Ranks in the whole catalogue, and the `top` best items of each query (Q, top)."""

    ranks: Ranks
    recommendations: Tensor


@dataclass
class Ranker:
    """Ranks the targets of fixed queries, repeatedly while a model trains.

    Args:
        queries: validation or test, never both: the validation ranker of a training holds no test data.
        max_len: histories are cut to their latest `max_len` items.
        memory_mb: bound on the memory of a chunk.
    """

    queries: Queries
    max_len: int
    memory_mb: int = 512
    _features: dict[tuple[int, int], tuple[Tensor | None, Tensor | None]] = field(
        default_factory=dict, init=False
    )

    @torch.inference_mode()
    def sampled(self, scorer: Scorer) -> Ranks:
        """Ranks among the stored negatives."""
        scored = [
            _count(scores_BC, torch.zeros(len(scores_BC), dtype=torch.int64, device=scores_BC.device))
            for _, scores_BC in self.candidate_scores(scorer)
        ]
        return _concatenate(scored)

    @torch.inference_mode()
    def full(self, scorer: Scorer, top: int, exclude_history: bool) -> tuple[Ranks, FullRanking]:
        """Ranks among the stored negatives and in the catalogue, from one scoring of it.

        `exclude_history` leaves out a user's known items, as sampling does, but not the target.
        """
        sampled: list[Ranks] = []
        full: list[Ranks] = []
        best: list[Tensor] = []
        exact = ranks_all(scorer)
        for rows, among_BC, scores_Bm in self.catalogue_scores(scorer, exclude_history):
            targets_B = self.queries.targets_Q[rows]
            if exact:
                sampled.append(_count(among_BC, torch.zeros_like(targets_B)))
            full.append(_count(scores_Bm, targets_B))
            best.append(scores_Bm.topk(min(top, scores_Bm.shape[1]), dim=1).indices)
        # Where the catalogue is scored up to some depth only, candidates are scored by themselves.
        among = _concatenate(sampled) if exact else self.sampled(scorer)
        return among, FullRanking(_concatenate(full), torch.cat(best))

    @torch.inference_mode()
    def in_catalogue(self, scorer: Scorer, exclude_history: bool) -> Ranks:
        """Ranks in the catalogue as `full` has them, without the lists, which take a fifth of the time."""
        scored = [
            _count(scores_Bm, self.queries.targets_Q[rows])
            for rows, _, scores_Bm in self.catalogue_scores(scorer, exclude_history)
        ]
        return _concatenate(scored)

    @torch.inference_mode()
    def catalogue_scores(
        self, scorer: Scorer, exclude_history: bool, of: Ints | None = None
    ) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield rows of the queries, scores (B, 1 + K) of target and negatives, and (B, m) of all items.

        With `exclude_history` known items other than the target get minus infinity in the latter. `of` leaves
        out chunks without one of these queries; the others are scored as if nothing was left out.
        """
        for rows, history, states_Bd, catalogue in self._chunks(scorer, scorer.num_items, of):
            scores_Bm = scorer.score_catalogue(states_Bd, history, catalogue)
            self._refuse_nan(scores_Bm, rows)
            targets_B = self.queries.targets_Q[rows]
            target_scores_B = scores_Bm.gather(1, targets_B[:, None])
            among_BC = torch.cat([target_scores_B, scores_Bm.gather(1, self.queries.negatives_QK[rows])], 1)
            if exclude_history:
                self._hide_known(scores_Bm, rows)
                scores_Bm.scatter_(1, targets_B[:, None], target_scores_B)
            yield rows, among_BC, scores_Bm

    @torch.inference_mode()
    def candidate_scores(self, scorer: Scorer) -> Iterator[tuple[slice, Tensor]]:
        """Yield rows of the queries and scores (B, 1 + K) of the target (column 0) and negatives."""
        per_row = self.queries.negatives_QK.shape[1] + 1
        for rows, history, states_Bd, catalogue in self._chunks(scorer, per_row * 8):
            items_BC = torch.cat([self.queries.targets_Q[rows, None], self.queries.negatives_QK[rows]], dim=1)
            layout = history.layout
            candidates = Candidates(
                items_BC, torch.arange(layout.batch, device=items_BC.device), layout.lengths_B,
                self._candidate_features(scorer, rows, items_BC),
            )  # fmt: skip
            scores_BC = scorer.score_candidates(states_Bd, history, candidates, catalogue)
            self._refuse_nan(scores_BC, rows)
            yield rows, scores_BC

    def _chunks(
        self, scorer: Scorer, pairs_per_user: int, of: Ints | None = None
    ) -> Iterator[tuple[slice, History, Any, Any]]:
        scorer.eval()
        catalogue = scorer.catalogue()
        size = self.memory_mb * 2**20 // (4 * FLOATS_PER_PAIR * pairs_per_user)
        if isinstance(scorer, WholeModel) and (floats := scorer.floats_of_state(self.max_len)):
            size = min(size, self.memory_mb * 2**20 // (4 * floats))
        size = max(1, min(size, LARGEST_CHUNK))
        for start in range(0, len(self.queries), size):
            rows = slice(start, min(start + size, len(self.queries)))
            if of is not None and not ((of >= rows.start) & (of < rows.stop)).any():
                continue
            history = self._history(scorer, rows)
            yield rows, history, scorer.states(history, catalogue), catalogue

    def _history(self, scorer: Scorer, rows: slice) -> History:
        users_B = self.queries.users_Q[rows]
        ends_B = self.queries.offsets[users_B + 1]
        lengths_B = (ends_B - self.queries.offsets[users_B]).clamp_max(self.max_len)
        index_T, layout = gather_sequences(ends_B - lengths_B, lengths_B)
        items_T = self.queries.items_flat[index_T]
        features = self._features.get((rows.start, rows.stop), (None, None))[0]
        if features is None:
            readers = self.queries.readers_flat
            readers_T = users_B[layout.sequence_T] if readers is None else readers[index_T]
            features = scorer.pair_features(readers_T, items_T)
        return History(users_B, items_T, layout, features)

    def _candidate_features(self, scorer: Scorer, rows: slice, items_BC: Tensor) -> Tensor | None:
        """Pair features of a chunk's candidates, computed in the first pass and cached."""
        chunk = (rows.start, rows.stop)
        if chunk not in self._features:
            users_BC = self.queries.users_Q[rows, None].expand_as(items_BC)
            features = [
                scorer.pair_features(users_BC[k : k + 32], items_BC[k : k + 32])
                for k in range(0, len(items_BC), 32)
            ]
            known = None if features[0] is None else torch.cat([f for f in features if f is not None])
            history = self._history(scorer, rows)
            self._features[chunk] = (history.features_TF, known)
        return self._features[chunk][1]

    def _hide_known(self, scores_Bm: Tensor, rows: slice) -> None:
        users_B = self.queries.users_Q[rows]
        starts_B = self.queries.offsets[users_B]
        index_T, layout = gather_sequences(starts_B, self.queries.offsets[users_B + 1] - starts_B)
        scores_Bm[layout.sequence_T, self.queries.items_flat[index_T]] = -torch.inf

    def _refuse_nan(self, scores: Tensor, rows: slice) -> None:
        if bool(scores.sum().isnan()) and bool(scores.isnan().any()):
            row = int(scores.isnan().any(1).nonzero()[0])
            raise TrainingError(
                f"the model scores NaN for user number {int(self.queries.users_Q[rows][row])}",
                hint="lower training.lr, set training.grad_clip, or check the embeddings",
            )


def ranks_all(scorer: Scorer) -> bool:
    """Whether `score_catalogue` scores all items, and candidates as `score_candidates` does."""
    return not isinstance(scorer, WholeModel) or scorer.exact_catalogue


def _count(scores_BC: Tensor, target_column_B: Tensor) -> Ranks:
    target_B1 = scores_BC.gather(1, target_column_B[:, None])
    # Compare into floats, whose sums are exact below 2^24: three times faster than through bool.
    flags_BC = torch.empty_like(scores_BC)
    better = torch.gt(scores_BC, target_B1, out=flags_BC).sum(1).long()
    tied = torch.eq(scores_BC, target_B1, out=flags_BC).sum(1).long() - 1
    return Ranks(better, tied)


def _concatenate(chunks: list[Ranks]) -> Ranks:
    return Ranks(torch.cat([c.better for c in chunks]), torch.cat([c.tied for c in chunks]))


class Scorer(Protocol):
    """Scores items after histories: a trained recommender or a control. Higher is better, equal is a tie.

    A pair's score is the same alone, among other candidates and in the whole catalogue, and does not depend
    on the other users of the batch. The ranker refuses NaN.
    """

    @property
    def num_items(self) -> int:
        """m, the items of the catalogue."""
        ...

    def eval(self) -> object:
        """Switch to evaluation mode; called before each pass."""
        ...

    def catalogue(self) -> Any:
        """Compute what scoring needs of all items, once per pass; every call gets it."""
        ...

    def pair_features(self, users_P: Tensor, items_P: Tensor) -> Tensor | None:
        """Features (…, F) of (user, item) pairs that are the same in every pass; None without."""
        ...

    def states(self, history: History, catalogue: Any) -> Any:
        """Encode each history, (B, …)."""
        ...

    def score_candidates(
        self, states_B: Any, history: History, candidates: Candidates, catalogue: Any
    ) -> Tensor:
        """Scores (B, K) of a few candidates per user."""
        ...

    def score_catalogue(self, states_B: Any, history: History, catalogue: Any) -> Tensor:
        """Scores (B, m) of all items, in a new tensor that the ranker may overwrite.

        Beyond some depth the lowest float, for a model whose `exact_catalogue` is False; −inf is the
        ranker's.
        """
        ...
