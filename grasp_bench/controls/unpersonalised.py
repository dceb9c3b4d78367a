"""Controls that read no history: popularity, random scores and one constant score."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from grasp_bench.controls.base import Control
from grasp_bench.data.splits import TrainPart
from grasp_bench.models.batch import Candidates, History


class Popularity(Control):
    """score(u, i) = interactions with i in the training part; held-out items are not counted."""

    def __init__(self, counts_m: Tensor) -> None:
        super().__init__(len(counts_m))
        self.counts_m = counts_m

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Count the interactions of each item."""
        return cls(popularity(train))

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Return the counts of the candidates."""
        return self.counts_m[candidates.items_SK]

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Return the same row of counts for every user."""
        return self.counts_m.repeat(len(states_B), 1)


def popularity(train: TrainPart) -> Tensor:
    """Count interactions with each item in training, float64 (m,): whole numbers, exact."""
    items = torch.from_numpy(train.train_items.astype("int64"))
    return torch.bincount(items, minlength=train.num_items).double()


class Constant(Control):
    """score(u, i) = 0: every candidate ties with the target, so a sound evaluation ranks it at chance."""

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Read the number of items."""
        return cls(train.num_items)

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Return zeros."""
        return torch.zeros(candidates.items_SK.shape)

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Return zeros."""
        return torch.zeros(len(states_B), self.num_items)


SEED = 42
# SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014); as int64,
# whose products wrap around.
GAMMA = 0x9E3779B97F4A7C15 - 2**64
FIRST, SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


class RandomScores(Control):
    """A number in [0, 1) for each pair of user and item: a hash of the pair and a fixed seed.

    No generator is advanced, so a pair's score does not depend on the other candidates.
    """

    @classmethod
    def fit(cls, train: TrainPart, items_mD: Tensor | None) -> Self:
        """Read the number of items."""
        return cls(train.num_items)

    def states(self, history: History, catalogue: Any = None) -> Tensor:
        """Return the users, mixed with the seed."""
        return mixed(history.users_B + mixed(torch.tensor(SEED)))

    def score_candidates(
        self, states_B: Tensor, history: History, candidates: Candidates, catalogue: Any = None
    ) -> Tensor:
        """Hash each pair of user and candidate."""
        return _fraction(mixed(states_B[:, None] + candidates.items_SK * GAMMA))

    def score_catalogue(self, states_B: Tensor, history: History, catalogue: Any = None) -> Tensor:
        """Hash each pair of user and item."""
        return _fraction(mixed(states_B[:, None] + torch.arange(self.num_items) * GAMMA))


def mixed(values: Tensor) -> Tensor:
    """Apply SplitMix64's finaliser: every bit of an int64 then depends on every other."""
    values = values + GAMMA
    for bits, factor in ((30, FIRST), (27, SECOND)):
        values ^= _shifted(values, bits)
        values *= factor
    return values.bitwise_xor_(_shifted(values, 31))


def _shifted(values: Tensor, bits: int) -> Tensor:
    """Shift right and fill with zeros; torch's own shift would fill in the sign."""
    shifted = values >> bits
    return shifted.bitwise_and_((1 << (64 - bits)) - 1)


def _fraction(values: Tensor) -> Tensor:
    """Return the upper 53 bits as float64 in [0, 1)."""
    return _shifted(values, 11).double().mul_(2.0**-53)
