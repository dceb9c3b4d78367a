"""Sample negatives, and compute the losses of `training.loss` from the scores of the predicted positions.

Shape suffixes: S positions predicted, N negatives, m items, D width of the states.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from grasp_bench.components import LOSSES
from grasp_bench.core.errors import DataError, PluginError
from grasp_bench.training.sequences import Sequences


class NegativeSampler:
    """Samples uniformly from the items outside the user's training history, without rejection.

    Of a user's known items k_0 < k_1 < …, those with k_j − j ≤ r precede the r-th unknown item, which is r
    plus their number: one look-up in a sorted table per draw, without synchronising the device. Excluding
    held-out items too would leak the test, since they would never be negatives.
    """

    def __init__(self, sequences: Sequences) -> None:
        self.num_items = sequences.num_items
        known = (sequences.users_flat() * self.num_items + sequences.items_flat).unique()
        users = known // self.num_items
        self.known_U = torch.bincount(users, minlength=len(sequences.offsets) - 1)
        if len(self.known_U) and int(self.known_U.max()) >= self.num_items:
            raise DataError(
                f"user number {int(self.known_U.argmax())} has every item, so there is no negative to sample",
                hint="drop the user or train on a larger catalogue",
            )
        self.first_U = self.known_U.cumsum(0) - self.known_U
        place_in_user = torch.arange(len(known), device=known.device) - self.first_U[users]
        self.keys = known - place_in_user  # user · m + (k_j − j), ascending

    def draw(self, users_S: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one negative item (S,) for each of the users (S,)."""
        left_S = self.num_items - self.known_U[users_S]
        drawn_S = torch.rand(users_S.shape, dtype=torch.float64, generator=generator, device=users_S.device)
        place_S = (drawn_S * left_S).long()
        before_S = torch.searchsorted(self.keys, users_S * self.num_items + place_S, right=True)
        return place_S + before_S - self.first_U[users_S]


@dataclass(frozen=True)
class SharedNegatives:
    """Draws `count` items with replacement per batch, shared by all its positions.

    They may be in a user's history; a position ignores its own target among them (`training.losses`).
    """

    sequences: Sequences
    count: int
    sampling: str

    def draw(self, targets_S: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw items (N,), and return the logarithm of the expected count of each (N,)."""
        source = {"popularity": self.sequences.items_flat, "in_batch": targets_S}.get(self.sampling)
        most = self.sequences.num_items if source is None else len(source)
        drawn_N = torch.randint(most, (self.count,), generator=generator, device=targets_S.device)
        if source is None:
            chances_N = torch.full((self.count,), 1 / most, device=targets_S.device)
            return drawn_N, (self.count * chances_N).log()
        items_N = source[drawn_N]
        return items_N, (self.count * self.sequences.popularity[items_N]).log()


@dataclass(frozen=True)
class Negatives:
    """Scores (S, N) of negatives, −inf where one is the position's own target, and the logarithm of the
    expected count of each: (N,), or 0 if it is not known."""

    scores_SN: Tensor
    log_expected_N: Tensor | float = 0.0


class Predictions(Protocol):
    """The positions that a step predicts, and the scores a loss may ask for; all in float32."""

    def positives(self) -> Tensor:
        """Return the scores (S,) of the targets."""
        ...

    def negatives(self) -> Negatives:
        """Return the scores of the negatives that the spec asks for."""
        ...

    def mean_log_partition(self) -> Tensor:
        """Return the mean over positions of log Σ exp(score) over the whole catalogue, a scalar."""
        ...


class Loss(Protocol):
    """A differentiable scalar of the scores of one step.

    Contract (tests/models/test_losses_contract.py): it falls when a target's score rises, gradients are
    finite for scores of any size, a negative that is the target itself plays no part, and where all scores
    are 0 nothing is gained by moving them all alike.
    """

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], num_items: int) -> Self:
        """Build from `spec.training.Loss.effective()`."""
        ...

    def __call__(self, predictions: Predictions) -> Tensor:
        """Return the mean over positions."""
        ...


@dataclass(frozen=True)
class BinaryCrossEntropy:
    """−log σ(s⁺ + b) − Σ log(1 − σ(s⁻ + b)), times 2/(N + 1): with one negative, eq. 6 of the GRASP paper.

    The constant b = log(β/N) is the score that is best before anything is learnt; 0 with one negative.
    Without it several negatives first push every score far down, the states become the same for all users,
    and training stays at the popularity of items. It is the prior of focal loss (Lin et al., ICCV 2017,
    section 3.3) and changes no ranking.

    Attributes:
        power: σ(s⁺ + b) is raised to it: 1, or β < 1 in `GeneralisedBinaryCrossEntropy`.
    """

    power: float = 1.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], num_items: int) -> Self:
        """Build the loss; it has no settings."""
        return cls()

    def __call__(self, predictions: Predictions) -> Tensor:
        """Return the mean over positions."""
        scores_SN = predictions.negatives().scores_SN
        count = scores_SN.shape[1]
        prior = math.log(self.power / count)
        positive = F.softplus(-(predictions.positives() + prior)).mean()
        negative = F.softplus(scores_SN + prior).sum(1).mean()
        return 2 / (count + 1) * (self.power * positive + negative)


class GeneralisedBinaryCrossEntropy(BinaryCrossEntropy):
    """gBCE of gSASRec (Petrov and Macdonald, RecSys 2023): the positive's probability σ(s⁺) to the power β.

    With few negatives of many items, BCE overestimates how probable an item is. β = α (t (1 − 1/α) + 1/α)
    undoes that; α = N / (m − 1) is the share of items that are sampled, t the calibration: 0 is BCE, at 1
    scores are probabilities as under no sampling.
    """

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], num_items: int) -> Self:
        """Compute β from N, m and t."""
        share = min(1.0, settings["negatives"] / max(num_items - 1, 1))
        return cls(share * (settings["calibration"] * (1 - 1 / share) + 1 / share))


class Softmax:
    """Cross-entropy over the catalogue, −s⁺ + log Σ exp(s)."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], num_items: int) -> Self:
        """Build the loss; it has no settings."""
        return cls()

    def __call__(self, predictions: Predictions) -> Tensor:
        """Return the mean over positions."""
        return predictions.mean_log_partition() - predictions.positives().mean()


@dataclass(frozen=True)
class SampledSoftmax:
    """Cross-entropy over the target and N negatives, −s⁺ + log(exp(s⁺) + Σ exp(s⁻ − log E)).

    E is how often a negative was to be expected (the logQ correction, Bengio and Senécal 2008): the sum then
    estimates the catalogue's without bias. The target is there for certain, and is not corrected.
    """

    log_q: bool

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], num_items: int) -> Self:
        """Build the loss, with the logQ correction or without."""
        return cls(settings["log_q"])

    def __call__(self, predictions: Predictions) -> Tensor:
        """Return the mean over positions."""
        positive_S, negatives = predictions.positives(), predictions.negatives()
        others_SN = negatives.scores_SN
        if self.log_q:
            others_SN = others_SN - negatives.log_expected_N
        # Together, for the negatives alone may all be the target, and then have no sum.
        partition_S = torch.cat([positive_S[:, None], others_SN], dim=1).logsumexp(1)
        return (partition_S - positive_S).mean()


@dataclass(frozen=True)
class GuardedLoss:
    """A loss of another package, which is named when it fails or does not return a scalar."""

    loss: Loss
    name: str

    def __call__(self, predictions: Predictions) -> Tensor:
        """Return the loss of a step."""
        with LOSSES.blamed(self.name):
            found = self.loss(predictions)
        if isinstance(found, Tensor) and found.shape == ():
            return found
        what = (
            f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        )
        raise PluginError(f"loss '{self.name}' returned {what}", hint="return the mean, a scalar tensor")
