"""Compute the attention weights of real (user, item) pairs, block by block.

There are two kinds of pairs: those of histories, which the model weighs when it reads, and validation
negatives, which it weighs when it scores. No pair holds a test target.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from grasp_bench.models.batch import Candidates, History
from grasp_bench.models.enhancers.grasp import Grasp
from grasp_bench.models.layout import gather_sequences
from grasp_bench.studies.attention.reading import Reading

PAIRS_PER_BLOCK = 1 << 14  # four rows of 384 floats a pair: 100 MB
UNCHOSEN_PER_USER = 10  # about as many as a history has


@dataclass(frozen=True, eq=False)
class Pairs:
    """P pairs of a user and an item, the profile that reads each, and the weight of each part.

    `users`, `profiles`, `items` (P,) int64; `held_out` (P,) bool: validation, which no training and, by
    default, no text of a user has seen; `weights` (P, parts) float64. A profile is a row of the users'
    embeddings: the user's own, unless there is one for every training position. Users ascend; items of a
    history are oldest first.
    """

    users: NDArray[np.int64]
    profiles: NDArray[np.int64]
    items: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def of_user(self, user: int) -> NDArray[np.int64]:
        """Rows of one user's pairs."""
        return np.arange(*np.searchsorted(self.users, [user, user + 1]))


@torch.inference_mode()
def history_pairs(reading: Reading, model: Grasp) -> Pairs:
    """Compute all pairs of all histories, each cut to its latest `max_len` items as the model does."""
    blocks = []
    lengths = torch.from_numpy(reading.split.train_lengths)
    for tokens in _histories(reading, model, _readers(reading)):
        history, users_T = tokens.history, tokens.history.users_T()
        weights_TP = model.history_weights(history)
        held_out_T = tokens.place_T >= lengths[users_T]
        blocks.append((users_T, tokens.profiles_T, history.items_T, held_out_T, weights_TP))
    return _joined(blocks, len(model.holistic.shape.parts))


@torch.inference_mode()
def unchosen_pairs(reading: Reading, model: Grasp, per_user: int = UNCHOSEN_PER_USER) -> Pairs:
    """Compute pairs with the first `per_user` negatives of each validation user, scored after the history."""
    negatives_VK = torch.from_numpy(reading.negatives_VK[:, :per_user].astype(np.int64))
    asked = torch.from_numpy(reading.split.valid_users.astype(np.int64))
    blocks = []
    for tokens in _histories(reading, model, asked):
        history, users_B = tokens.history, tokens.history.users_B
        items_BK = negatives_VK[torch.searchsorted(asked, users_B)]
        candidates = Candidates(items_BK, torch.arange(len(users_B)), history.layout.lengths_B)
        weights_BKP = model.candidate_weights(history, candidates)
        owners, items = users_B[:, None].expand_as(items_BK).flatten(), items_BK.flatten()
        blocks.append((owners, owners, items, torch.zeros_like(items).bool(), weights_BKP.flatten(0, 1)))
    return _joined(blocks, len(model.holistic.shape.parts))


@dataclass(frozen=True, eq=False)
class _Tokens:
    """Some histories, the profile that reads each token, and its place in the whole history, from 0."""

    history: History
    profiles_T: torch.Tensor
    place_T: torch.Tensor


def _readers(reading: Reading) -> torch.Tensor:
    """Users with a history; in a split by time some have none."""
    return reading.offsets.diff().nonzero().squeeze(1)


def _histories(reading: Reading, model: Grasp, users: torch.Tensor) -> Iterator[_Tokens]:
    """Histories of users, in blocks of bounded size."""
    lengths = reading.offsets.diff()[users].clamp_max(reading.max_len)
    weight = torch.maximum(lengths, torch.tensor(UNCHOSEN_PER_USER)).cumsum(0)
    borders = np.flatnonzero(np.diff((weight // PAIRS_PER_BLOCK).numpy())) + 1
    for block in np.split(users.numpy(), borders) if len(users) else []:
        users_B = torch.from_numpy(block)
        starts_B, ends_B = reading.offsets[users_B], reading.offsets[users_B + 1]
        lengths_B = (ends_B - starts_B).clamp_max(reading.max_len)
        index_T, layout = gather_sequences(ends_B - lengths_B, lengths_B)
        items_T, readers = reading.items_flat[index_T], reading.readers_flat
        profiles_T = users_B[layout.sequence_T] if readers is None else readers[index_T]
        history = History(users_B, items_T, layout, model.pair_features(profiles_T, items_T))
        yield _Tokens(history, profiles_T, index_T - starts_B[layout.sequence_T])


def _joined(blocks: Sequence[tuple[torch.Tensor, ...]], parts: int) -> Pairs:
    if not blocks:
        nobody = np.empty(0, dtype=np.int64)
        return Pairs(nobody, nobody, nobody, nobody.astype(bool), np.empty((0, parts)))
    users, profiles, items, held_out, weights = (
        torch.cat(column).numpy() for column in zip(*blocks, strict=True)
    )
    return Pairs(users, profiles, items, held_out, weights.astype(np.float64))
