"""What a step learns from a batch of users: the next item everywhere, or the masked items.

Both end in the binary cross-entropy of eq. 6 with one sampled negative per predicted position.
Shape suffixes: B users, T tokens read, S positions predicted, D width of the states, F pair features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from grasp_bench.core.errors import TrainingError
from grasp_bench.models.batch import Candidates, History, Step
from grasp_bench.models.layout import Layout, gather_sequences
from grasp_bench.models.recommender import Recommender
from grasp_bench.training.negatives import NegativeSampler
from grasp_bench.training.sequences import Sequences

# Share of sequences in which only the last item is masked, which is what inference asks for
# (section 3.6 of the BERT4Rec paper adds such samples without giving their share).
LAST_ITEM_ONLY = 0.1


class Objective(Protocol):
    """The loss of one batch of users."""

    def loss(self, recommender: Recommender, users_B: Tensor, generator: torch.Generator) -> Tensor:
        """Scalar loss, differentiable."""
        ...


@dataclass
class TrainingPairs:
    """What the objectives share: sequences, negatives, and the constant features of known pairs.

    `read_features` are those of each item and the profile that reads it, `target_features` of each item
    and the profile that predicts it: the reader of the item before.
    """

    sequences: Sequences
    sampler: NegativeSampler
    max_len: int
    readers: Tensor
    read_features: Tensor | None
    target_features: Tensor | None

    @classmethod
    def prepare(cls, recommender: Recommender, sequences: Sequences, max_len: int) -> TrainingPairs:
        """Compute the features of all training pairs once, in blocks."""
        readers, items = sequences.readers(), sequences.items_flat
        read = target = _features(recommender, readers, items)
        if sequences.readers_flat is not None:
            if recommender.backbone.masked_training:
                raise TrainingError("profiles of prefixes need a backbone that does not look ahead")
            # The first item of a user has no item before it, and is never a target.
            target = _features(recommender, readers.roll(1), items)
        return cls(sequences, NegativeSampler(sequences), max_len, readers, read, target)

    def history(self, users_B: Tensor, index_T: Tensor, layout: Layout) -> History:
        """The history made of the tokens at `index_T` of the flat items."""
        features = None if self.read_features is None else self.read_features[index_T]
        return History(users_B, self.sequences.items_flat[index_T], layout, features)

    def shortest_first(self, users_B: Tensor, spans: Callable[[Tensor], tuple[Tensor, Tensor]]) -> History:
        """The histories of users whose `spans` (first token, length) are given, ordered by length."""
        order = spans(users_B)[1].argsort(stable=True)
        index_T, layout = gather_sequences(*spans(users_B[order]), ascending=True)
        return self.history(users_B[order], index_T, layout)

    def candidates(
        self, recommender: Recommender, users_S: Tensor, readers_S: Tensor, target_index_S: Tensor,
        sequence_S: Tensor, prior_S: Tensor, generator: torch.Generator,
    ) -> Candidates:  # fmt: skip
        """Each target beside a fresh negative, (S, 2), as the profiles `readers_S` see them."""
        negatives_S = self.sampler.draw(users_S, generator)
        features = None
        if self.target_features is not None:
            drawn = recommender.enhancer.pair_features(readers_S, negatives_S)
            assert drawn is not None
            features = torch.stack([self.target_features[target_index_S], drawn], dim=1)
        items_S2 = torch.stack([self.sequences.items_flat[target_index_S], negatives_S], dim=1)
        return Candidates(items_S2, sequence_S, prior_S, features)


def _features(recommender: Recommender, profiles_P: Tensor, items_P: Tensor) -> Tensor | None:
    blocks = [
        recommender.enhancer.pair_features(*pairs)
        for pairs in zip(profiles_P.split(16384), items_P.split(16384), strict=True)
    ]
    found = [block for block in blocks if block is not None]
    return torch.cat(found) if found else None


@dataclass
class NextItem:
    """Every position predicts the one behind it (SASRec, GRU4Rec)."""

    pairs: TrainingPairs

    def loss(self, recommender: Recommender, users_B: Tensor, generator: torch.Generator) -> Tensor:
        """Binary cross-entropy, mean over positions, and the enhancer's own loss."""
        index_T, layout = gather_sequences(*self._spans(users_B))
        history = self.pairs.history(users_B, index_T, layout)
        candidates = self.pairs.candidates(
            recommender, history.users_T(), self.pairs.readers[index_T], index_T + 1, layout.sequence_T,
            layout.position_T + 1, generator,
        )  # fmt: skip
        vectors_TD, candidates_T2D = recommender.enhancer.embed(history, candidates)
        states_TD = recommender.read(vectors_TD, layout)
        loss = binary_cross_entropy(states_TD, candidates_T2D)
        similar = partial(self.pairs.shortest_first, spans=self._spans)
        return with_auxiliary(loss, recommender, history, states_TD, candidates, similar, generator)

    def _spans(self, users_B: Tensor) -> tuple[Tensor, Tensor]:
        """What is read: one item fewer than there are, the last being only a target (if not the only one)."""
        starts_B, ends_B = (self.pairs.sequences.offsets[users_B + more] for more in (0, 1))
        lengths_B = (ends_B - starts_B - 1).clamp(1, self.pairs.max_len)
        return torch.maximum(ends_B - 1 - lengths_B, starts_B), lengths_B


@dataclass
class MaskedItems:
    """Masked positions are filled in from both sides (BERT4Rec)."""

    pairs: TrainingPairs

    def loss(self, recommender: Recommender, users_B: Tensor, generator: torch.Generator) -> Tensor:
        """Binary cross-entropy, mean over masked positions, and the enhancer's own loss."""
        index_T, layout = gather_sequences(*self._spans(users_B))
        masked_T = draw_mask(layout, recommender.backbone.mask_probability, generator)
        masked_S = masked_T.nonzero().squeeze(1)
        history = replace(self.pairs.history(users_B, index_T, layout), masked_T=masked_T)
        sequence_S = layout.sequence_T[masked_S]
        candidates = self.pairs.candidates(
            recommender, users_B[sequence_S], users_B[sequence_S], index_T[masked_S], sequence_S,
            layout.position_T[masked_S], generator,
        )  # fmt: skip
        vectors_TD, candidates_S2D = recommender.enhancer.embed(history, candidates)
        states_TD = recommender.read(vectors_TD, layout, masked_T)
        loss = binary_cross_entropy(states_TD[masked_S], candidates_S2D)
        similar = partial(self.pairs.shortest_first, spans=self._spans)
        return with_auxiliary(loss, recommender, history, states_TD, candidates, similar, generator)

    def _spans(self, users_B: Tensor) -> tuple[Tensor, Tensor]:
        """What is read: all there is."""
        ends_B = self.pairs.sequences.offsets[users_B + 1]
        lengths_B = (ends_B - self.pairs.sequences.offsets[users_B]).clamp_max(self.pairs.max_len)
        return ends_B - lengths_B, lengths_B


def with_auxiliary(
    loss: Tensor, recommender: Recommender, history: History, states_TD: Tensor, candidates: Candidates,
    histories_of: Callable[[Tensor], History], generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """The main loss and, where the enhancer has one, its own of the same step.

    `histories_of` gives the histories of other users, read as this objective reads them.
    """
    step = Step(
        history, states_TD, candidates.items_SK[:, 0], recommender.read, recommender.without_dropout,
        histories_of, generator,
    )  # fmt: skip
    auxiliary = recommender.enhancer.auxiliary_loss(step)
    return loss if auxiliary is None else loss + auxiliary


def draw_mask(layout: Layout, probability: float, generator: torch.Generator) -> Tensor:
    """Which tokens are masked, (T,) bool: each with the given probability, at least one a sequence;
    in a share `LAST_ITEM_ONLY` of the sequences the last token alone."""
    device = layout.lengths_B.device
    drawn_T = torch.rand(len(layout.sequence_T), generator=generator, device=device)
    masked_T = drawn_T < probability
    none_B = torch.zeros(layout.batch, dtype=torch.int64, device=device)
    none_B = none_B.index_add(0, layout.sequence_T, masked_T.long()) == 0
    last_only_B = torch.rand(layout.batch, generator=generator, device=device) < LAST_ITEM_ONLY
    masked_T = masked_T & ~last_only_B[layout.sequence_T]
    masked_T[layout.last_B[none_B | last_only_B]] = True
    return masked_T


def binary_cross_entropy(states_SD: Tensor, candidates_S2D: Tensor) -> Tensor:
    """−log σ(o·positive) − log(1 − σ(o·negative)), mean over positions (eq. 6)."""
    # In float32 also under autocast: bfloat16 has three digits, too few for a loss near its end.
    scores_S2 = (candidates_S2D @ states_SD.unsqueeze(-1)).squeeze(-1).float()
    return F.softplus(-scores_S2[:, 0]).mean() + F.softplus(scores_S2[:, 1]).mean()


def objective_for(recommender: Recommender, pairs: TrainingPairs) -> Objective:
    """The objective the backbone was published with."""
    return MaskedItems(pairs) if recommender.backbone.masked_training else NextItem(pairs)
