"""Training objectives: predict the next item at every position, or the masked items.

Shape suffixes: B users, T tokens read, S positions predicted, K items embedded for each of them (its target
and its own negative, if any), N negatives of the batch, D width of the states.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from grasp_bench.components import LOSSES
from grasp_bench.core.errors import TrainingError
from grasp_bench.models.batch import Candidates, History, Rows, Step
from grasp_bench.models.generative.base import WholeModel
from grasp_bench.models.layout import Layout, gather_sequences
from grasp_bench.models.recommender import Recommender
from grasp_bench.spec import training as settings
from grasp_bench.training.losses import GuardedLoss, Loss, Negatives, NegativeSampler, SharedNegatives
from grasp_bench.training.partition import mean_log_partition, mean_log_partition_in_blocks
from grasp_bench.training.sequences import Sequences


class Steps(Protocol):
    """The loss of one batch after the other."""

    def step(self, users_B: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of users (on the CPU), a scalar."""
        ...


def steps_of(
    model: Recommender | WholeModel, sequences: Sequences, max_len: int, loss: settings.Loss
) -> Steps:
    """Return what trains a model: its own loss, or that of the spec on the objective of its backbone."""
    if isinstance(model, WholeModel):
        return OneHistoryEach(model, sequences, max_len)
    return Objective.prepare(model, sequences, max_len, loss)


# Share of sequences in which only the last item is masked, as in inference (section 3.6 of the BERT4Rec paper
# adds such samples without giving their share).
LAST_ITEM_ONLY = 0.1


@dataclass(frozen=True)
class Targets:
    """The input and targets of a batch.

    Attributes:
        history: what the backbone reads; some tokens masked for masked training.
        index_S: the predicted tokens, in the flat training sequences.
        readers_S: the profile that predicts each.
        sequence_S: the sequence of the batch each belongs to, ascending.
        prior_S: number of items before it in its sequence.
        states_S: the tokens whose states predict; None: all, in order.
    """

    history: History
    index_S: Tensor
    readers_S: Tensor
    sequence_S: Tensor
    prior_S: Tensor
    states_S: Tensor | None


@dataclass
class Objective:
    """The loss of a batch; a subclass chooses what is read and predicted."""

    recommender: Recommender
    sequences: Sequences
    max_len: int
    loss: Loss
    own: NegativeSampler | None
    shared: SharedNegatives | None
    readers: Tensor
    read_features: Tensor | None
    target_features: Tensor | None

    @classmethod
    def prepare(
        cls, recommender: Recommender, sequences: Sequences, max_len: int, loss: settings.Loss
    ) -> Objective:
        """Build the objective that the backbone was published with, under a loss.

        The constant features of all training pairs are computed once, in blocks: `read_features` of each item
        and the profile that reads it, `target_features` of each item and the profile that predicts it, which
        is the reader of the item before.
        """
        masked = recommender.backbone.masked_training
        if masked and sequences.readers_flat is not None:
            raise TrainingError("profiles of prefixes need a backbone that does not look ahead")
        if masked and sequences.tied_with_previous is not None:
            raise TrainingError("steps of several items need a backbone that does not look ahead")
        readers, items = sequences.readers(), sequences.items_flat
        read = target = _features(recommender, readers, items)
        if sequences.readers_flat is not None:
            # The first item of a user has no predecessor and is never a target.
            target = _features(recommender, readers.roll(1), items)
        asked = loss.effective()
        count = loss.count
        with LOSSES.blamed(loss.kind):
            built = LOSSES.implementation(loss.kind).from_settings(asked, sequences.num_items)
        if LOSSES.version(loss.kind) is not None:
            built = GuardedLoss(built, loss.kind)
        return (MaskedItems if masked else NextItem)(
            recommender, sequences, max_len, built,
            NegativeSampler(sequences) if count == 1 else None,
            SharedNegatives(sequences, count, asked["sampling"]) if count > 1 else None,
            readers, read, target,
        )  # fmt: skip

    def targets(self, users_B: Tensor, generator: torch.Generator) -> Targets:
        """Return the input and targets of a batch of users (on the CPU)."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it predicts")

    def spans(self, users_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first token and the length of each user's input, on the CPU."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it reads")

    def step(self, users_B: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of users (on the CPU) plus the enhancer's auxiliary loss, a scalar."""
        recommender = self.recommender
        targets = self.targets(users_B, generator)
        history, targets_S = targets.history, self.sequences.items_flat[targets.index_S]
        if recommender.own_loss:
            states_TD = self._states(recommender.enhancer.embed_history(history), history)
            loss = recommender.enhancer.loss(_predicting(states_TD, targets), targets_S)
        else:
            candidates = self._candidates(targets, generator)
            vectors_TD, candidates_SKD = recommender.enhancer.embed(history, candidates)
            states_TD = self._states(vectors_TD, history)
            states_SD = _predicting(states_TD, targets)
            loss = self.loss(_Scores(self, targets, candidates, candidates_SKD, states_SD, generator))
        step = Step(
            history, states_TD, targets_S, recommender.read, recommender.without_dropout,
            self._histories_of, generator,
        )  # fmt: skip
        auxiliary = recommender.enhancer.auxiliary_loss(step)
        return loss if auxiliary is None else loss + auxiliary

    def _states(self, vectors_TD: Tensor, history: History) -> Tensor:
        context_BCD = self.recommender.enhancer.context(history)
        return self.recommender.read(vectors_TD, history.layout, history.masked_T, context_BCD)

    def _read(self, users_B: Tensor) -> tuple[History, Tensor]:
        """Read the histories of users (on the CPU), and the index (T,) of their tokens."""
        device = self.sequences.items_flat.device
        starts_B, lengths_B = self.spans(users_B)
        index_T, layout = gather_sequences(
            starts_B.to(device, non_blocking=True), lengths_B.to(device, non_blocking=True), lengths_B
        )
        features = None if self.read_features is None else self.read_features[index_T]
        users_B = users_B.to(device, non_blocking=True)
        return History(users_B, self.sequences.items_flat[index_T], layout, features), index_T

    def _histories_of(self, users_B: Tensor) -> History:
        """Read the histories of other users as this objective does."""
        return self._read(users_B.cpu())[0]

    def _candidates(self, targets: Targets, generator: torch.Generator) -> Candidates:
        """Collect each target and, if it has one, its own negative."""
        users_S = targets.history.users_B[targets.sequence_S]
        items = [self.sequences.items_flat[targets.index_S]]
        features = None if self.target_features is None else [self.target_features[targets.index_S]]
        if self.own is not None:
            items.append(self.own.draw(users_S, generator))
            if features is not None:
                drawn = self.recommender.enhancer.pair_features(targets.readers_S, items[1])
                assert drawn is not None
                features.append(drawn)
        stacked = None if features is None else torch.stack(features, dim=1)
        return Candidates(torch.stack(items, dim=1), targets.sequence_S, targets.prior_S, stacked)


@dataclass
class NextItem(Objective):
    """Every position predicts the next one (SASRec, GRU4Rec)."""

    def targets(self, users_B: Tensor, generator: torch.Generator) -> Targets:
        """All positions except those whose next item has the same time."""
        history, index_T = self._read(users_B)
        layout, states_S = history.layout, None
        index_S, sequence_S, position_S = index_T, layout.sequence_T, layout.position_T
        if self.sequences.tied_with_previous is not None:
            states_S = (~self.sequences.tied_with_previous[index_T + 1]).nonzero().squeeze(1)
            index_S, sequence_S, position_S = (x[states_S] for x in (index_S, sequence_S, position_S))
        return Targets(history, index_S + 1, self.readers[index_S], sequence_S, position_S + 1, states_S)

    def spans(self, users_B: Tensor) -> tuple[Tensor, Tensor]:
        """All items but the last, which is only a target, unless it is the only one."""
        starts_B, ends_B = (self.sequences.host_offsets[users_B + more] for more in (0, 1))
        lengths_B = (ends_B - starts_B - 1).clamp(1, self.max_len)
        return torch.maximum(ends_B - 1 - lengths_B, starts_B), lengths_B


@dataclass
class MaskedItems(Objective):
    """Masked positions are predicted from both sides (BERT4Rec)."""

    def targets(self, users_B: Tensor, generator: torch.Generator) -> Targets:
        """The masked positions."""
        history, index_T = self._read(users_B)
        layout = history.layout
        masked_T = draw_mask(layout, self.recommender.backbone.mask_probability, generator)
        masked_S = masked_T.nonzero().squeeze(1)
        sequence_S = layout.sequence_T[masked_S]
        return Targets(
            replace(history, masked_T=masked_T), index_T[masked_S], history.users_B[sequence_S], sequence_S,
            layout.position_T[masked_S], masked_S,
        )  # fmt: skip

    def spans(self, users_B: Tensor) -> tuple[Tensor, Tensor]:
        """All items."""
        ends_B = self.sequences.host_offsets[users_B + 1]
        lengths_B = (ends_B - self.sequences.host_offsets[users_B]).clamp_max(self.max_len)
        return ends_B - lengths_B, lengths_B


@dataclass(frozen=True)
class OneHistoryEach:
    """Histories of a batch of users, each up to an item that it predicts, for a model of its own."""

    model: WholeModel
    sequences: Sequences
    max_len: int

    def step(self, users_B: Tensor, generator: torch.Generator) -> Tensor:
        """Return the loss of users (on the CPU), a scalar."""
        items, offsets = self.sequences.items_flat, self.sequences.host_offsets
        if self.model.every_position:
            users_S, place_S = users_B, offsets[users_B + 1] - 1
        elif self.model.examples is None:
            users_S = users_B.repeat_interleave(offsets.diff()[users_B] - 1)
            place_S = gather_sequences(offsets[users_B] + 1, offsets.diff()[users_B] - 1)[0]
        else:
            users_S = users_B.repeat_interleave(self.model.examples)
            drawn_S = torch.rand(len(users_S), generator=generator, device=generator.device).cpu()
            place_S = offsets[users_S] + 1 + (drawn_S * (offsets.diff()[users_S] - 1)).long()
        # By length, so that a model may work on neighbours together without much padding.
        by_length_S = torch.minimum(place_S - offsets[users_S], torch.tensor(self.max_len)).argsort(
            stable=True
        )
        users_S, place_S = users_S[by_length_S], place_S[by_length_S]
        starts_S = torch.maximum(place_S - self.max_len, offsets[users_S])
        device, lengths_S = items.device, place_S - starts_S
        index_T, layout = gather_sequences(starts_S.to(device), lengths_S.to(device), lengths_S)
        history = History(users_S.to(device), items[index_T], layout)
        return self.model.loss(history, items[place_S.to(device)])


@dataclass
class _Scores:
    """The scores of one step, computed when a loss needs them (`training.losses.Predictions`)."""

    objective: Objective
    targets: Targets
    candidates: Candidates
    vectors_SKD: Tensor
    states_SD: Tensor
    generator: torch.Generator
    _scores_SK: Tensor | None = None

    def positives(self) -> Tensor:
        """Scores of the targets, (S,)."""
        return self._own()[:, 0]

    def negatives(self) -> Negatives:
        """Scores of each position's own negative, or of those of the batch."""
        shared = self.objective.shared
        if shared is None:
            return Negatives(self._own()[:, 1:])
        targets_S = self.candidates.items_SK[:, 0]
        items_N, log_expected_N = shared.draw(targets_S, self.generator)
        scores_SN = self._shared(self.states_SD, items_N).float()
        is_target_SN = items_N == targets_S[:, None]
        return Negatives(scores_SN.masked_fill(is_target_SN, -torch.inf), log_expected_N)

    def mean_log_partition(self) -> Tensor:
        """Over all items, by their vectors if those are the same for all users."""
        enhancer = self.objective.recommender.enhancer
        vectors_mD = enhancer.training_vectors()
        if vectors_mD is not None:
            return mean_log_partition(self.states_SD, vectors_mD)
        block = enhancer.items_at_once(self.targets.history.layout.batch)
        return mean_log_partition_in_blocks(self._shared, self.states_SD, enhancer.num_items, block)

    def _own(self) -> Tensor:
        if self._scores_SK is None:
            # In float32 under autocast too: bfloat16 has three digits, too few for a converged loss.
            self._scores_SK = (self.vectors_SKD * self.states_SD[:, None]).sum(-1).float()
        return self._scores_SK

    def _shared(self, states_SD: Tensor, items_N: Tensor) -> Tensor:
        targets = self.targets
        rows = Rows(targets.sequence_S, targets.prior_S, self._readers())
        return self.objective.recommender.enhancer.score_shared(states_SD, targets.history, rows, items_N)

    def _readers(self) -> Tensor | None:
        """The profiles that predict; None for the users' final ones."""
        return None if self.objective.sequences.readers_flat is None else self.targets.readers_S


def _predicting(states_TD: Tensor, targets: Targets) -> Tensor:
    """Return the states (S, D) that predict."""
    return states_TD if targets.states_S is None else states_TD[targets.states_S]


def _features(recommender: Recommender, profiles_P: Tensor, items_P: Tensor) -> Tensor | None:
    blocks = [
        recommender.enhancer.pair_features(*pairs)
        for pairs in zip(profiles_P.split(16384), items_P.split(16384), strict=True)
    ]
    found = [block for block in blocks if block is not None]
    return torch.cat(found) if found else None


def draw_mask(layout: Layout, probability: float, generator: torch.Generator) -> Tensor:
    """Draw the mask (T,): each token with the given probability, at least one per sequence, and only the last
    in a share `LAST_ITEM_ONLY` of the sequences."""
    device = layout.lengths_B.device
    drawn_T = torch.rand(len(layout.sequence_T), generator=generator, device=device)
    masked_T = drawn_T < probability
    none_B = torch.zeros(layout.batch, dtype=torch.int64, device=device)
    none_B = none_B.index_add(0, layout.sequence_T, masked_T.long()) == 0
    last_only_B = torch.rand(layout.batch, generator=generator, device=device) < LAST_ITEM_ONLY
    masked_T = masked_T & ~last_only_B[layout.sequence_T]
    masked_T[layout.last_B[none_B | last_only_B]] = True
    return masked_T
